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
from rnn_jax.models.nade import NADE
from rnn_jax.models.transformer import Transformer
from rnn_jax.typing import Array, Carry, DType, at_least_float32


class PianoRollModel(nnx.Module):
    """p(pitches of a step | steps before it), each pitch an independent bit, or all of them jointly.

    Boulanger-Lewandowski et al. 2012, arXiv:1206.6392: their "RNN", and with hidden units of a NADE "RNN-NADE", where
    the probability of each pitch is that given the lower pitches of the same step too.

    Args:
        layer: over inputs of 88 features; reads forwards only.
        nade_size: hidden units of the joint output; None: independent bits.
        dropout_rate: on the outputs of the layer, in training.
        input_dropout: on the pitches that are read, in training.
        dtype: of the computation; parameters are float32, and so are the logits.
        rngs: the stream `params` (or `default`) draws the parameters.
    """

    def __init__(
        self,
        layer: Layers,
        nade_size: int | None = None,
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
        self.score = (
            nnx.Linear(layer.output_size, PITCHES, bias_init=silent, dtype=dtype, rngs=rngs)
            if nade_size is None
            else NADE(layer.output_size, PITCHES, nade_size, bias_init=silent, dtype=dtype, rngs=rngs)
        )
        self.dropout_rate, self.input_dropout, self.dtype = dropout_rate, input_dropout, dtype

    def __call__(self, rolls: Array, lengths: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Score each step but the first.

        Args:
            rolls: `[T + 1, B, 88]`, 1 for a pitch that sounds.
            lengths: int `[B]`, valid steps of the first T; what lies after them has no influence on those before.
            key: a typed key: training, with dropout.

        Returns:
            Logits float32 `[T, B, 88]` of the pitches `rolls[1:]`, given the steps before and, with a joint output, the
            lower pitches of the same step.
        """
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        xs = dropout(keys[0], jnp.asarray(rolls[:-1]).astype(self.dtype), self.input_dropout)
        ys = self.layer(xs, lengths=lengths, key=keys[1]).ys
        ys = dropout(keys[2], ys, self.dropout_rate)
        logits = self.score(ys, rolls[1:]) if isinstance(self.score, NADE) else self.score(ys)
        return logits.astype(jnp.float32)

    def initial_carry(self, steps: int) -> Carry:
        """The carry before the first of at most `steps` steps of one piece."""
        if isinstance(self.layer, Transformer):
            return jnp.zeros((steps, 1, PITCHES), self.dtype), jnp.int32(0)
        return self.layer.initial_carry((1,), at_least_float32(self.dtype))

    def step(self, carry: Carry, pitches: Array) -> tuple[Carry, jax.Array]:
        """The pitches `[1, 88]` of one step to the next carry and the state `[1, H]` that the next step depends on."""
        pitches = jnp.asarray(pitches).astype(self.dtype)
        if isinstance(self.layer, Transformer):  # which reads all of it again
            rolls, place = carry
            rolls = rolls.at[place].set(pitches)
            carry, y = (rolls, place + 1), self.layer(rolls, lengths=place[None] + 1).ys[place]
        else:
            carry, y = self.layer.step(carry, pitches)
        return carry, y

    def draw(self, key: jax.Array, state: jax.Array, temperature: float) -> jax.Array:
        """Which pitches sound after a state `[1, H]`, bool `[1, 88]`, drawn; see `sample_roll`."""
        if isinstance(self.score, NADE):
            return self.score.sample(key, state, temperature)
        logits = self.score(state).astype(jnp.float32)
        return jax.random.bernoulli(key, jax.nn.sigmoid(logits / temperature)) if temperature else logits > 0

    def silence(self) -> jax.Array:
        """A state `[1, H]` for before the first step, which nothing depends on."""
        return jnp.zeros((1, self.layer.output_size), self.dtype)


def roll_nll(
    model: Callable[..., jax.Array], batch: dict[str, Any], key: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """The summed negative log likelihood of all steps of a batch of `RollBatches`, in nats, and their number."""
    rolls, lengths = jnp.asarray(batch["rolls"]), jnp.asarray(batch["lengths"])
    logits = model(rolls, lengths, key=key)
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
        temperature: divides the logits; 0 takes every pitch that is likelier on than off, with a joint output from the
            lowest to the highest, given those that were taken.

    Raises:
        ValueError: steps or temperature is out of range.
    """
    check_drawing(steps, temperature)
    given = prepend_silence(primer)
    start = model.initial_carry(len(given) + steps), model.silence()

    def advance(state: Any, inputs: Any) -> tuple[Any, jax.Array]:
        carry, y = state
        pitches, is_given, draw_key = inputs
        pitches = jnp.where(is_given, pitches[None] > 0, model.draw(draw_key, y, temperature))
        return model.step(carry, pitches), pitches[0]

    rolls = np.concatenate([given, np.zeros((steps, PITCHES), np.uint8)])
    is_given = np.arange(len(rolls)) < len(given)
    _, sampled = jax.lax.scan(advance, start, (rolls, is_given, jax.random.split(key, len(rolls))))
    return np.asarray(sampled[len(given) :]).astype(np.uint8)


def check_drawing(steps: int, temperature: float) -> None:
    """Raise ValueError unless steps and temperature are in their ranges."""
    if steps < 1 or not 0 <= temperature < float("inf"):
        raise ValueError(f"steps={steps}, temperature={temperature}: expected at least 1, and a number of at least 0")
