"""A model of polyphonic music: which pitches sound in the next step, given all steps before it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.music_generation.data import prepend_silence
from experiments.music_generation.midi import PITCHES
from rnn_jax.checks import check_rate
from rnn_jax.compose import dropout
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.models.blocks import Layers
from rnn_jax.models.transformer import Transformer
from rnn_jax.typing import Array, Carry, DType, at_least_float32


class PianoRollModel(nnx.Module):
    """p(pitches of a step | steps before it), each pitch an independent bit.

    Boulanger-Lewandowski et al. 2012, arXiv:1206.6392: their "RNN".

    Args:
        layer: over inputs of 88 features; reads forwards only.
        dropout_rate: on the outputs of the layer, in training.
        input_dropout: on the pitches that are read, in training.
        dtype: of the computation; parameters are float32, and so are the logits.
        rngs: the stream `params` (or `default`) draws the parameters.
    """

    def __init__(
        self,
        layer: Layers,
        *,
        dropout_rate: float = 0.0,
        input_dropout: float = 0.0,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_rate("dropout_rate", dropout_rate)
        check_rate("input_dropout", input_dropout)
        self.layer = layer
        silent = nnx.initializers.constant(-3.0)  # few of the pitches sound: about 1 in 20
        self.score = nnx.Linear(layer.output_size, PITCHES, bias_init=silent, dtype=dtype, rngs=rngs)
        self.dropout_rate, self.input_dropout, self.dtype = dropout_rate, input_dropout, dtype

    def __call__(self, rolls: Array, lengths: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Score what follows each step.

        Args:
            rolls: `[T, B, 88]`, 1 for a pitch that sounds.
            lengths: int `[B]`, valid steps; what lies after them has no influence.
            key: a typed key: training, with dropout.

        Returns:
            Logits float32 `[T, B, 88]` of the pitches in the step after each.
        """
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        xs = dropout(keys[0], jnp.asarray(rolls).astype(self.dtype), self.input_dropout)
        ys = self.layer(xs, lengths=lengths, key=keys[1]).ys
        return self.score(dropout(keys[2], ys, self.dropout_rate)).astype(jnp.float32)

    def initial_carry(self, steps: int) -> Carry:
        """The carry before the first of at most `steps` steps of one piece."""
        if isinstance(self.layer, Transformer):
            return jnp.zeros((steps, 1, PITCHES), self.dtype), jnp.int32(0)
        return self.layer.initial_carry((1,), at_least_float32(self.dtype))

    def step(self, carry: Carry, pitches: Array) -> tuple[Carry, jax.Array]:
        """The pitches `[1, 88]` of one step to the next carry and the logits float32 `[1, 88]` of the step after it."""
        pitches = jnp.asarray(pitches).astype(self.dtype)
        if isinstance(self.layer, Transformer):  # which reads all of it again
            rolls, place = carry
            rolls = rolls.at[place].set(pitches)
            carry, y = (rolls, place + 1), self.layer(rolls, lengths=place[None] + 1).ys[place]
        else:
            carry, y = self.layer.step(carry, pitches)
        return carry, self.score(y).astype(jnp.float32)


def roll_nll(
    model: Callable[..., jax.Array], batch: dict[str, Any], key: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """The summed negative log likelihood of all steps of a batch of `RollBatches`, in nats, and their number."""
    rolls, lengths = jnp.asarray(batch["rolls"]), jnp.asarray(batch["lengths"])
    logits = model(rolls[:-1], lengths, key=key)
    valid = jnp.arange(len(logits))[:, None] < lengths[None]
    return binary_cross_entropy(logits, rolls[1:], valid)


def sample_roll(
    model: PianoRollModel, primer: np.ndarray, steps: int, key: jax.Array, temperature: float = 1.0
) -> np.ndarray:
    """The steps that a model draws one after the other, after a primer: uint8 `[steps, 88]`.

    Args:
        model: of rolls.
        primer: uint8 `[t, 88]`; t may be 0.
        steps: how many.
        key: a typed key.
        temperature: divides the logits; 0 takes every pitch that is likelier on than off.

    Raises:
        ValueError: steps or temperature is out of range.
    """
    check_drawing(steps, temperature)
    given = prepend_silence(primer)
    carry, logits = model.initial_carry(len(given) + steps), jnp.zeros((1, PITCHES))

    def advance(state: Any, inputs: Any) -> tuple[Any, jax.Array]:
        carry, logits = state
        pitches, is_given, draw_key = inputs
        pitches = jnp.where(is_given, pitches[None] > 0, draw_pitches(draw_key, logits, temperature))
        return model.step(carry, pitches), pitches[0]

    rolls = np.concatenate([given, np.zeros((steps, PITCHES), np.uint8)])
    is_given = np.arange(len(rolls)) < len(given)
    _, sampled = jax.lax.scan(advance, (carry, logits), (rolls, is_given, jax.random.split(key, len(rolls))))
    return np.asarray(sampled[len(given) :]).astype(np.uint8)


def draw_pitches(key: jax.Array, logits: jax.Array, temperature: float) -> jax.Array:
    """Which pitches sound, bool of the shape of the logits, drawn; at 0 those that are likelier on than off."""
    return jax.random.bernoulli(key, jax.nn.sigmoid(logits / temperature)) if temperature else logits > 0


def check_drawing(steps: int, temperature: float) -> None:
    """Raise ValueError unless steps and temperature are in their ranges."""
    if steps < 1 or not 0 <= temperature < float("inf"):
        raise ValueError(f"steps={steps}, temperature={temperature}: expected at least 1, and a number of at least 0")
