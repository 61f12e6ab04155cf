"""From the scores of a CTC model to labels: greedy, and by prefix beam search. Label 0 is the blank.

An alignment names a label or the blank for every step; its labels are what is left when repeats are merged and blanks
removed. Greedy decoding reads the likeliest alignment; a prefix beam sums over the alignments of the same labels.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.typing import Array, Checked, Float, Int


def ctc_greedy(
    logits: Float[Array, "T B V"], lengths: Int[Array, "B"]
) -> tuple[Int[jax.Array, "B T"], Int[jax.Array, "B"]]:
    """The labels of the likeliest alignment of each row; made to be jitted.

    Args:
        logits: `[T, B, V + 1]`.
        lengths: int `[B]`, valid steps.

    Returns:
        Labels int32 `[B, T]`, zeros after the last one, and how many there are, int32 `[B]`.
    """
    best = jnp.argmax(jnp.asarray(logits), axis=-1).astype(jnp.int32)  # [T, B]
    before = jnp.concatenate([jnp.zeros_like(best[:1]), best[:-1]])
    valid = jnp.arange(best.shape[0])[:, None] < jnp.asarray(lengths)[None]
    kept = valid & (best != 0) & (best != before)
    # What is kept goes to the front, everything else to a place that does not exist.
    places = jnp.where(kept, jnp.cumsum(kept, axis=0, dtype=jnp.int32) - 1, best.shape[0])
    rows = jnp.broadcast_to(jnp.arange(best.shape[1])[None], best.shape)
    labels = jnp.zeros(best.shape[::-1], jnp.int32).at[rows, places].set(best, mode="drop")
    return labels, kept.sum(axis=0, dtype=jnp.int32)


def ctc_beam(log_probs: Checked[np.ndarray, "T V"], beam: int = 16) -> list[tuple[tuple[int, ...], float]]:
    """The likeliest label sequences of one utterance; Graves 2008, section 7.5.3, Hannun et al. 2014, arXiv:1408.2873.

    Args:
        log_probs: `[T, V + 1]`, log-probabilities of the valid steps; log_softmax of the logits.
        beam: prefixes that are kept after every step. Enough of them make the search exact.

    Returns:
        Up to `beam` label sequences and their log-likelihoods (a lower bound where alignments were dropped), the
        likeliest first; of two alike, the smaller one in the order of tuples.

    Raises:
        ValueError: log_probs has another shape or values that are no log-probabilities, or beam is below 1.
    """
    log_probs = np.asarray(log_probs, np.float64)
    if log_probs.ndim != 2 or log_probs.shape[1] < 2 or beam < 1:
        raise ValueError(f"log_probs has shape {log_probs.shape}, beam={beam}: expected [T, V + 1] and at least 1")
    if np.isnan(log_probs).any() or (log_probs > 1e-5).any():
        raise ValueError(f"log_probs has values up to {log_probs.max()}: expected log-probabilities, at most 0")
    # Of each prefix, the log-probability of its alignments that end in a blank, and of those that end in its label.
    prefixes: dict[tuple[int, ...], list[float]] = {(): [0.0, -math.inf]}
    for step in log_probs.tolist():
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, label) in prefixes.items():
            either = _add(blank, label)
            same = grown.setdefault(prefix, [-math.inf, -math.inf])
            same[0] = _add(same[0], either + step[0])
            for new in range(1, len(step)):
                longer = grown.setdefault((*prefix, new), [-math.inf, -math.inf])
                if prefix and prefix[-1] == new:
                    same[1] = _add(same[1], label + step[new])
                    longer[1] = _add(longer[1], blank + step[new])  # a repeat is a new label only after a blank
                else:
                    longer[1] = _add(longer[1], either + step[new])
        prefixes = dict(_best(grown)[:beam])
    return [(prefix, _add(*scores)) for prefix, scores in _best(prefixes)]


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b)); many times as fast as NumPy's for single numbers."""
    high, low = (a, b) if a > b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _best(prefixes: dict[tuple[int, ...], list[float]]) -> list[tuple[tuple[int, ...], list[float]]]:
    """Prefixes that are possible at all, the likeliest first."""
    ranked = sorted((-_add(*scores), prefix) for prefix, scores in prefixes.items())
    return [(prefix, prefixes[prefix]) for score, prefix in ranked if score < math.inf]
