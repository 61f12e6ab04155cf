"""The negative log likelihood of pieces step by step, and what a model expected of them."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from experiments.music_generation.data import prepend_silence
from experiments.music_generation.midi import chord_name
from experiments.music_generation.model import PianoRollModel
from rnn_jax.data import best_bounds, in_order, pad
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.nnx import functional
from rnn_jax.typing import Array, Params


def make_step_nll(
    rebuild: Callable[[Params], PianoRollModel], rolls: Sequence[np.ndarray], *, batch_size: int = 16, buckets: int = 4
) -> Callable[[Params], list[np.ndarray]]:
    """A function from parameters to the nats of every step, float32 `[t]`, of every piece; compiled for few shapes."""
    lengths = np.array([len(roll) for roll in rolls])
    bounds, rows = best_bounds(lengths, buckets), min(batch_size, len(rolls))

    @jax.jit
    def padded_nll(params: Params, padded: Array, lengths: Array) -> jax.Array:
        logits = rebuild(params)(padded, lengths)
        losses = jax.vmap(jax.vmap(lambda z, y: binary_cross_entropy(z[None], y[None])[0]))
        return losses(logits, padded[1:])

    def step_nll(params: Params) -> list[np.ndarray]:
        by_piece: dict[int, np.ndarray] = {}
        for examples in in_order(lengths, rows):
            chosen = np.resize(examples, rows)  # the last batch is filled up, so that it has no shape of its own
            length = int(bounds[np.searchsorted(bounds, lengths[chosen].max())])
            padded = pad([prepend_silence(rolls[k]) for k in chosen], length + 1)
            nats = np.asarray(padded_nll(params, padded.values, padded.lengths - 1))
            by_piece |= {int(k): nats[: lengths[k], row] for row, k in enumerate(chosen)}
        return [by_piece[k] for k in range(len(rolls))]

    return step_nll


def mean_nll(nats: Sequence[np.ndarray], first: bool = False) -> float:
    """The mean over all steps of all pieces; without `first`, over all but the first step of each."""
    return float(np.concatenate([steps if first else steps[1:] for steps in nats]).astype(np.float64).mean())


def pitch_probabilities(model: PianoRollModel, roll: np.ndarray) -> np.ndarray:
    """The probability of each pitch in each step of a roll `[t, 88]`, given the steps before: float32 `[t, 88]`.

    Of a joint output it is that given the lower pitches of the same step too.
    """
    params, rebuild = functional(model)
    predict = jax.jit(lambda params, *inputs: jax.nn.sigmoid(rebuild(params)(*inputs)[:, 0]))
    return np.asarray(predict(params, prepend_silence(roll)[:, None], np.array([len(roll)])))


def examples_text(
    model: PianoRollModel, rolls: Sequence[np.ndarray], nats: Sequence[np.ndarray], steps: int = 12
) -> str:
    """The pieces that were predicted best and worst: what sounded, what was expected, nats of each step.

    Args:
        model: of rolls.
        rolls: uint8 `[t, 88]` each.
        nats: `[t]` of each, from `make_step_nll`.
        steps: how many of each piece.
    """
    means = [float(n[1:].mean()) for n in nats]
    lines = []
    for name, k in (("best", int(np.argmin(means))), ("worst", int(np.argmax(means)))):
        lines.append(f"{name} of {len(rolls)}: piece {k + 1}, {means[k]:.2f} nats/step; its steps 2 to {steps + 1}")
        probabilities = pitch_probabilities(model, rolls[k][: steps + 1])
        for target, p, n in zip(rolls[k][1 : steps + 1], probabilities[1:], nats[k][1:], strict=False):
            lines.append(f"  {n:6.2f}  sounded {chord_name(target):24s}  expected {chord_name(p)}")
    return "\n".join(lines) + "\n"
