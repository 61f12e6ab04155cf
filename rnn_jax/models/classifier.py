"""A sequence to a class: embed, run layers through it, pool its steps into one vector, score the classes."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.compose import Bidirectional, Stack, dropout
from rnn_jax.data import best_bounds, in_order, pad
from rnn_jax.models.blocks import Layers
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array, DType, Float, Int, Key, Num, Params

POOLINGS = ("last", "max", "mean", "attention")


class Classifier(nnx.Module):
    """p(class | sequence), for tokens or for vectors.

    Args:
        layer: `Recurrent`, `RecurrentBlocks` or `Transformer`.
        classes: C.
        vocabulary_size: V, where the inputs are tokens; 0 where they are vectors.
        pooling: "last", the state after the last valid step, of each direction (Sutskever et al. 2014); "max" or
            "mean" over the valid steps (Collobert & Weston 2008); "attention", a mean whose weights are learned (Lin et
            al. 2017, arXiv:1703.03130, with one row).
        dropout_rate: on the pooled vector, in training.
        input_dropout: on the embedded tokens or the vectors, in training.
        dropout_kind: of the input dropout: "step" or "sequence"; see `rnn_jax.dropout`.
        dtype: of the computation; parameters are float32, and so are the scores.
        rngs: the stream `params` (or `default`) draws the parameters.

    Raises:
        ValueError: an argument is not of this form.
    """

    def __init__(
        self,
        layer: Layers,
        classes: int,
        *,
        vocabulary_size: int = 0,
        pooling: str = "max",
        dropout_rate: float = 0.0,
        input_dropout: float = 0.0,
        dropout_kind: str = "step",
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_size("classes", classes)
        check_choice("pooling", pooling, POOLINGS)
        check_rate("dropout_rate", dropout_rate)
        check_rate("input_dropout", input_dropout)
        self.layer = layer
        self.embed = nnx.Embed(vocabulary_size, layer.input_size, dtype=dtype, rngs=rngs) if vocabulary_size else None
        self.weigh = nnx.Linear(layer.output_size, 1, dtype=dtype, rngs=rngs) if pooling == "attention" else None
        self.score = nnx.Linear(layer.output_size, classes, dtype=dtype, rngs=rngs)
        self.pooling, self.dropout_kind = pooling, dropout_kind
        self.dropout_rate, self.input_dropout = dropout_rate, input_dropout
        self.dtype = dtype

    def __call__(
        self, inputs: Int[Array, "T B"] | Num[Array, "T B D"], lengths: Int[Array, "B"], *, key: Key | None = None
    ) -> Float[jax.Array, "B C"]:
        """Score the classes of sequences.

        Args:
            inputs: tokens int `[T, B]`, or vectors `[T, B, D]`.
            lengths: int `[B]`, at least 1; what lies after them has no influence.
            key: a typed key: training, with dropout.

        Returns:
            Logits float32 `[B, C]`.
        """
        return self.score(self.read(inputs, lengths, key=key)).astype(jnp.float32)

    def read(
        self, inputs: Int[Array, "T B"] | Num[Array, "T B D"], lengths: Int[Array, "B"], *, key: Key | None = None
    ) -> Float[jax.Array, "B F"]:
        """What is scored of sequences: one vector `[B, F]` of each; arguments as above."""
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        inputs = jnp.asarray(inputs)
        xs = inputs.astype(self.dtype) if self.embed is None else self.embed(inputs)
        xs = dropout(keys[0], xs, self.input_dropout, self.dropout_kind)
        pooled = self.pool(self.layer(xs, lengths=lengths, key=keys[1]).ys, jnp.asarray(lengths))
        return dropout(keys[2], pooled, self.dropout_rate)

    def pool(self, ys: Float[jax.Array, "T B F"], lengths: Int[jax.Array, "B"]) -> Float[jax.Array, "B F"]:
        """One vector `[B, F]` out of the outputs `[T, B, F]` of the valid steps."""
        valid = (jnp.arange(ys.shape[0])[:, None] < lengths[None])[..., None]
        if self.pooling == "last":
            last = jnp.take_along_axis(ys, jnp.maximum(lengths - 1, 0)[None, :, None], axis=0)[0]
            forward = self._forward_size()
            return jnp.concatenate([last[:, :forward], ys[0, :, forward:]], axis=-1)
        if self.pooling == "max":
            return jnp.max(jnp.where(valid, ys, -jnp.inf), axis=0)
        if self.pooling == "mean":
            return jnp.sum(ys, axis=0) / lengths[:, None].astype(ys.dtype)  # outputs after the end are zero
        assert self.weigh is not None
        weights = jax.nn.softmax(jnp.where(valid, self.weigh(ys), -jnp.inf), axis=0)
        return jnp.sum(weights * ys, axis=0)

    def _forward_size(self) -> int:
        """How many of the outputs come from reading forwards."""
        cell = self.layer.cell if isinstance(self.layer, Recurrent) else None
        while isinstance(cell, Stack):
            cell = cell.layers[-1]
        return cell.forward.output_size if isinstance(cell, Bidirectional) else self.layer.output_size


def make_probabilities(
    rebuild: Callable[[Params], Callable[..., jax.Array]],
    sequences: Sequence[Num[np.ndarray, "_ ..."]],
    *,
    batch_size: int = 128,
    buckets: int = 4,
) -> Callable[[Params], np.ndarray]:
    """A function from parameters to p(class | sequence) of all sequences, float32 `[N, C]`, compiled for few shapes.

    Args:
        rebuild: from `rnn_jax.nnx.functional` of a `Classifier`, or of what is called as one.
        sequences: tokens int `[n]` or vectors `[n, ...]` each, n ≥ 1.
        batch_size: sequences at once.
        buckets: how many lengths they are padded to, at most.
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    bounds = best_bounds(lengths, buckets)
    batch_size = min(batch_size, len(sequences))
    score = jax.jit(lambda params, inputs, lengths: jax.nn.softmax(rebuild(params)(inputs, lengths)))

    def probabilities(params: Params) -> np.ndarray:
        parts, places = [], []
        for examples in in_order(lengths, batch_size):
            rows = np.resize(examples, batch_size)  # the last batch is filled up, so that it has no shape of its own
            batch = pad([sequences[k] for k in rows], int(bounds[np.searchsorted(bounds, lengths[rows].max())]))
            parts.append(np.asarray(score(params, batch.values, batch.lengths))[: len(examples)])
            places.append(examples)
        return np.concatenate(parts)[np.argsort(np.concatenate(places))]

    return probabilities
