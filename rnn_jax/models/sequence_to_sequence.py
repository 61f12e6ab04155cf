"""Training an encoder-decoder and generating with it: the loss of targets, greedy and beam search over many sources."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.data import BEGIN, END, PAD, UNKNOWN, pad, teacher_forcing
from rnn_jax.data.parallel import pair_lengths
from rnn_jax.decoding import beam_search, greedy_search, repeat_rows
from rnn_jax.losses import Total, token_cross_entropy
from rnn_jax.models.encoder_decoder import EncoderDecoder
from rnn_jax.models.transformer_decoder import TransformerEncoderDecoder
from rnn_jax.typing import Key, Params


def target_nats(
    model: Callable[..., jax.Array], batch: dict[str, Any], key: Key | None = None, smoothing: float = 0.0
) -> Total:
    """The summed nats of the targets of a batch, their ends included, and how many tokens they have.

    Args:
        model: either encoder-decoder.
        batch: of `rnn_jax.data.teacher_forcing`.
        key: training, with dropout.
        smoothing: of the labels; see `token_cross_entropy`.
    """
    logits = model(batch["source"], batch["source_lengths"], batch["inputs"], key=key)
    counts = jnp.arange(logits.shape[0])[:, None] < jnp.asarray(batch["target_lengths"])[None]
    return token_cross_entropy(logits, batch["targets"], counts, smoothing=smoothing)


def make_nats_per_token(
    rebuild: Callable[[Params], EncoderDecoder | TransformerEncoderDecoder], *, rows: int = 64, unit: int = 16
) -> Callable[[Params, Sequence[np.ndarray], Sequence[np.ndarray]], float]:
    """A function from parameters, sources and targets to the nats of a token of these, their ends included.

    Pairs of similar length are read together, padded to a multiple of `unit` steps, so that few shapes are compiled.

    Args:
        rebuild: from `rnn_jax.nnx.functional`.
        rows: pairs at once.
        unit: of padding.
    """
    score = jax.jit(lambda params, batch: target_nats(rebuild(params), batch))

    def nats_per_token(params: Params, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> float:
        lengths, sums = pair_lengths(sources, targets), np.zeros(2)
        for full, count, length in _filled(lengths, rows, unit):
            batch = teacher_forcing([sources[k] for k in full], [targets[k] for k in full], length)
            batch["target_lengths"] = np.where(np.arange(rows) < count, batch["target_lengths"], 0)
            sums += [float(value) for value in score(params, batch)]
        return float(sums[0] / sums[1])

    return nats_per_token


def make_generate(
    rebuild: Callable[[Params], EncoderDecoder | TransformerEncoderDecoder],
    *,
    beams: int = 5,
    alpha: float = 1.0,
    rows: int = 64,
    unit: int = 8,
) -> Callable[[Params, Sequence[np.ndarray]], list[np.ndarray]]:
    """A function from parameters and sources to the tokens that the model generates for each, without begin and end.

    Sources of similar length are read together, padded to a multiple of `unit` steps, so that few shapes are compiled.
    A text may have 10 tokens more than one and a half times those of its source.

    Args:
        rebuild: from `rnn_jax.nnx.functional`.
        beams: open sequences; 1 is greedy search.
        alpha: of the length penalty; see `beam_search`.
        rows: sources at once.
        unit: of padding.
    """

    @jax.jit
    def search(params: Params, source: jax.Array, lengths: jax.Array) -> jax.Array:
        model: Any = rebuild(params)
        steps = source.shape[0] * 3 // 2 + 10
        memory = model.encode(source, lengths)
        options: dict[str, Any] = {"begin": BEGIN, "end": END, "steps": steps, "forbidden": (PAD, UNKNOWN, BEGIN)}
        carry = model.start(memory, steps)
        if beams == 1:
            return greedy_search(lambda c, token: model.step(memory, c, token), carry, **options).tokens[:, 0]
        repeated = repeat_rows(memory, beams)
        step = lambda c, token: model.step(repeated, c, token)  # noqa: E731
        return beam_search(step, carry, beams=beams, alpha=alpha, **options).tokens[:, 0]

    def generate(params: Params, sources: Sequence[np.ndarray]) -> list[np.ndarray]:
        if not all(len(source) for source in sources):
            raise ValueError("sources has an empty one: expected at least one token in each")
        lengths = np.array([len(source) for source in sources], int)
        generated: list[np.ndarray] = [np.zeros(0, np.int32)] * len(sources)
        for full, count, length in _filled(lengths, rows, unit):
            source = pad([sources[k] for k in full], length)
            for k, tokens in zip(full[:count], np.asarray(search(params, *source)), strict=False):
                ends = np.flatnonzero(tokens == END)
                generated[k] = tokens[: ends[0]] if len(ends) else tokens
        return generated

    return generate


def _filled(lengths: np.ndarray, rows: int, unit: int) -> Iterator[tuple[np.ndarray, int, int]]:
    """Indices by length, int `[rows]`; how many are new, for the last ones are filled up; and their padded length."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        yield np.resize(chosen, rows), len(chosen), -(-int(lengths[chosen].max()) // unit) * unit
