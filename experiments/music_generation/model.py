"""A model of polyphonic music: which keys sound in the next step, given all steps before it."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.music_generation.data import with_start
from experiments.music_generation.midi import KEYS
from rnn_jax.checks import check_rate
from rnn_jax.compose import dropout
from rnn_jax.data.batches import best_bounds, in_order
from rnn_jax.data.padding import pad
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.models.blocks import Layers
from rnn_jax.models.config import SequenceConfig, build_matched
from rnn_jax.models.transformer import Transformer
from rnn_jax.typing import Array, Carry, DType, Params


class PianoRollModel(nnx.Module):
    """p(keys of a step | steps before it), each key apart. Boulanger-Lewandowski et al. 2012, arXiv:1206.6392: "RNN".

    Args:
        layer: over inputs of 88 features; reads forwards only.
        dropout_rate: on the outputs of the layer, in training.
        input_dropout: on the keys that are read, in training.
        dtype: of the computation; parameters are float32, and so are the scores.
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
        silent = nnx.initializers.constant(-3.0)  # few of the keys sound: about 1 in 20
        self.score = nnx.Linear(layer.output_size, KEYS, bias_init=silent, dtype=dtype, rngs=rngs)
        self.dropout_rate, self.input_dropout, self.dtype = dropout_rate, input_dropout, dtype

    def __call__(self, rolls: Array, lengths: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Score what follows each step.

        Args:
            rolls: `[T, B, 88]`, 1 for a key that sounds.
            lengths: int `[B]`, valid steps; what lies after them has no influence.
            key: a typed key: training, with dropout.

        Returns:
            Logits float32 `[T, B, 88]` of the keys in the step after each.
        """
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        xs = dropout(keys[0], jnp.asarray(rolls).astype(self.dtype), self.input_dropout)
        ys = self.layer(xs, lengths=lengths, key=keys[1]).ys
        return self.score(dropout(keys[2], ys, self.dropout_rate)).astype(jnp.float32)

    def start(self, steps: int) -> Carry:
        """The carry before the first of at most `steps` steps of one piece."""
        if isinstance(self.layer, Transformer):
            return jnp.zeros((steps, 1, KEYS), self.dtype), jnp.int32(0)
        return self.layer.initial_carry((1,), self.dtype)

    def step(self, carry: Carry, keys: Array) -> tuple[Carry, jax.Array]:
        """The keys `[1, 88]` of one step to the next carry and the logits float32 `[1, 88]` of the step after it."""
        keys = jnp.asarray(keys).astype(self.dtype)
        if isinstance(self.layer, Transformer):  # which reads all of it again
            rolls, place = carry
            rolls = rolls.at[place].set(keys)
            carry, y = (rolls, place + 1), self.layer(rolls, lengths=place[None] + 1).ys[place]
        else:
            carry, y = self.layer.step(carry, keys)
        return carry, self.score(y).astype(jnp.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PianoRollSettings(SequenceConfig):
    """A model of piano rolls.

    Raises:
        ValueError: a value is out of range, or the model would read backwards.
    """

    bidirectional: bool = False
    """Must stay off: what comes next is not to be read."""
    input_dropout: float = 0.0
    """Rate on the keys that are read."""
    weight_noise: float = 0.0
    """Deviation of what is added to every parameter in each update."""

    def __post_init__(self):
        if self.bidirectional:
            raise ValueError("bidirectional=True: a model of what comes next reads forwards only; leave it off")
        check_rate("input_dropout", self.input_dropout)
        if self.weight_noise < 0:
            raise ValueError(f"weight_noise={self.weight_noise}: expected a deviation of at least 0")
        super().__post_init__()

    def build_piano_roll(self, key: jax.Array) -> PianoRollModel:
        """The model, its initial values by a typed key."""

        def build(settings: PianoRollSettings) -> PianoRollModel:
            rngs = nnx.Rngs(params=key)
            return PianoRollModel(
                settings.layer(KEYS, rngs), dropout_rate=settings.dropout, input_dropout=settings.input_dropout,
                dtype=jnp.dtype(settings.dtype), rngs=rngs,
            )  # fmt: skip

        return build_matched(self, build)


def roll_nats(
    model: Callable[..., jax.Array], batch: dict[str, Any], key: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Summed nats of all steps of a batch of `RollBatches`, and their number."""
    rolls, lengths = jnp.asarray(batch["rolls"]), jnp.asarray(batch["lengths"])
    logits = model(rolls[:-1], lengths, key=key)
    valid = jnp.arange(len(logits))[:, None] < lengths[None]
    return binary_cross_entropy(logits, rolls[1:], valid)


def make_roll_score(
    rebuild: Callable[[Params], PianoRollModel], rolls: Sequence[np.ndarray], *, batch_size: int = 16, buckets: int = 4
) -> Callable[[Params], list[np.ndarray]]:
    """A function from parameters to the nats of every step, float32 `[t]`, of every piece; compiled for few shapes."""
    lengths = np.array([len(roll) for roll in rolls])
    bounds, rows = best_bounds(lengths, buckets), min(batch_size, len(rolls))

    @jax.jit
    def nats(params: Params, padded: Array, lengths: Array) -> jax.Array:
        logits = rebuild(params)(padded[:-1], lengths)
        losses = jax.vmap(jax.vmap(lambda z, y: binary_cross_entropy(z[None], y[None])[0]))
        return losses(logits, padded[1:])

    def score(params: Params) -> list[np.ndarray]:
        found: dict[int, np.ndarray] = {}
        for examples in in_order(lengths, rows):
            chosen = np.resize(examples, rows)  # the last batch is filled up, so that it has no shape of its own
            length = int(bounds[np.searchsorted(bounds, lengths[chosen].max())])
            padded = pad([with_start(rolls[k]) for k in chosen], length + 1)
            steps = np.asarray(nats(params, padded.values, padded.lengths - 1))
            found |= {int(k): steps[: lengths[k], row] for row, k in enumerate(chosen)}
        return [found[k] for k in range(len(rolls))]

    return score


def per_step(nats: Sequence[np.ndarray], first: bool = False) -> float:
    """The mean over all steps of all pieces; without `first`, over all but the first step of each."""
    return float(np.concatenate([steps if first else steps[1:] for steps in nats]).astype(np.float64).mean())
