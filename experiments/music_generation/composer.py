"""What one does with a model of piano rolls: let it play, see what it expected, compare it with counts."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.music_generation.data import with_start
from experiments.music_generation.figures import keys_in_words
from experiments.music_generation.midi import KEYS
from experiments.music_generation.model import PianoRollModel
from rnn_jax.nnx import functional


def roll_baselines(training: Sequence[np.ndarray], test: Sequence[np.ndarray]) -> dict[str, float]:
    """Nats per step, but for first steps, that two counts reach on test pieces.

    "frequency of each key", and "each key after itself": how often a key sounds after a step in which it did, and after
    one in which it did not. Half a count is added to each.
    """
    before, after = (np.concatenate([roll[part] for roll in training]) for part in (np.s_[:-1], np.s_[1:]))
    test_before, test_after = (np.concatenate([roll[part] for roll in test]) for part in (np.s_[:-1], np.s_[1:]))
    sounds, was, both = after.sum(axis=0), before.sum(axis=0), (before & after).sum(axis=0)
    often = (sounds + 0.5) / (len(after) + 1)
    stays, begins = (both + 0.5) / (was + 1), (sounds - both + 0.5) / (len(after) - was + 1)

    def nats(p: np.ndarray) -> float:
        return float(-np.where(test_after > 0, np.log(p), np.log1p(-p)).sum(axis=1).mean())

    return {
        "frequency of each key": nats(often[None]),
        "each key after itself": nats(np.where(test_before > 0, stays[None], begins[None])),
    }


def compose(
    model: PianoRollModel, primer: np.ndarray, steps: int, key: jax.Array, temperature: float = 1.0
) -> np.ndarray:
    """What a model plays after a primer: uint8 `[steps, 88]`.

    Args:
        model: of rolls.
        primer: uint8 `[t, 88]`; t may be 0.
        steps: how many.
        key: a typed key.
        temperature: divides the logits; 0 takes every key that is likelier on than off.

    Raises:
        ValueError: steps or temperature is out of range.
    """
    if steps < 1 or not 0 <= temperature < float("inf"):
        raise ValueError(f"steps={steps}, temperature={temperature}: expected at least 1, and a number of at least 0")
    given = np.concatenate([np.zeros((1, KEYS), np.uint8), primer])
    carry, logits = model.start(len(given) + steps), jnp.zeros((1, KEYS))

    def advance(state: Any, at: Any) -> tuple[Any, jax.Array]:
        carry, logits = state
        keys, is_given, draw_key = at
        drawn = jax.random.bernoulli(draw_key, jax.nn.sigmoid(logits / temperature)) if temperature else logits > 0
        keys = jnp.where(is_given, keys[None] > 0, drawn)
        return model.step(carry, keys), keys[0]

    known = np.concatenate([given, np.zeros((steps, KEYS), np.uint8)])
    is_given = np.arange(len(known)) < len(given)
    _, played = jax.lax.scan(advance, (carry, logits), (known, is_given, jax.random.split(key, len(known))))
    return np.asarray(played[len(given) :]).astype(np.uint8)


def predicted(model: PianoRollModel, roll: np.ndarray) -> np.ndarray:
    """The probability of each key in each step of a roll `[t, 88]`, given the steps before: float32 `[t, 88]`."""
    params, rebuild = functional(model)
    score = jax.jit(lambda params, *given: jax.nn.sigmoid(rebuild(params)(*given)[:, 0]))
    return np.asarray(score(params, with_start(roll)[:-1, None], np.array([len(roll)])))


def describe_pieces(
    model: PianoRollModel, rolls: Sequence[np.ndarray], nats: Sequence[np.ndarray], steps: int = 12
) -> str:
    """The pieces that were expected best and worst, in words: what sounded, what was expected, nats of each step.

    Args:
        model: of rolls.
        rolls: uint8 `[t, 88]` each.
        nats: `[t]` of each, from `make_roll_score`.
        steps: how many of each piece.
    """
    means = [float(n[1:].mean()) for n in nats]
    lines = []
    for name, k in (("best", int(np.argmin(means))), ("worst", int(np.argmax(means)))):
        lines.append(f"{name} of {len(rolls)}: piece {k + 1}, {means[k]:.2f} nats/step; its steps 2 to {steps + 1}")
        expected = predicted(model, rolls[k][: steps + 1])
        for played, p, n in zip(rolls[k][1 : steps + 1], expected[1:], nats[k][1:], strict=False):
            lines.append(f"  {n:6.2f}  sounded {keys_in_words(played):24s}  expected {keys_in_words(p)}")
    return "\n".join(lines) + "\n"
