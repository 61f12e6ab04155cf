"""Connectionist temporal classification: a sequence of steps to a shorter sequence of labels, with no alignment given.

Graves et al. 2006, "Connectionist temporal classification". Label 0 is the blank; the labels are 1 to V.
"""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from rnn_jax.checks import check_rate, check_size
from rnn_jax.compose import dropout
from rnn_jax.losses import Total
from rnn_jax.models.blocks import Layers, RecurrentBlocks
from rnn_jax.models.transformer import Transformer
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array, Carry, DType, Float, Int, Key, Num, at_least_float32


class CTCModel(nnx.Module):
    """p(blank or label | steps) for every step.

    Args:
        layer: `Recurrent`, `RecurrentBlocks` or `Transformer`.
        labels: V, without the blank.
        dropout_rate: on the outputs of the layer, in training.
        dtype: of the computation; parameters are float32, and so are the scores.
        rngs: the stream `params` (or `default`) draws the parameters.
    """

    def __init__(
        self,
        layer: Layers,
        labels: int,
        *,
        dropout_rate: float = 0.0,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_size("labels", labels)
        check_rate("dropout_rate", dropout_rate)
        self.layer = layer
        self.score = nnx.Linear(layer.output_size, labels + 1, dtype=dtype, rngs=rngs)
        self.dropout_rate, self.dtype = dropout_rate, dtype

    def __call__(
        self, xs: Num[Array, "T *B D"], lengths: Int[Array, "*B"] | None = None, *, key: Key | None = None
    ) -> Float[jax.Array, "T *B V"]:
        """Score every step.

        Args:
            xs: `[T, B, D]`.
            lengths: int `[B]`, valid steps; what lies after them has no influence on those before.
            key: a typed key: training, with dropout.

        Returns:
            Logits float32 `[T, B, V + 1]`.
        """
        keys = (None, None) if key is None else jax.random.split(key)
        ys = self.layer(jnp.asarray(xs, self.dtype), lengths=lengths, key=keys[0]).ys
        return self.score(dropout(keys[1], ys, self.dropout_rate)).astype(jnp.float32)

    def initial_carry(self, batch_shape: tuple[int, ...] = ()) -> Carry:
        """The carry before the first step of a stream."""
        return self._recurrent().initial_carry(batch_shape, at_least_float32(self.dtype))

    def step(self, carry: Carry, x: Num[Array, "*B D"]) -> tuple[Carry, Float[jax.Array, "*B V"]]:
        """One step x `[B, D]` to the next carry and logits float32 `[B, V + 1]`, for streaming.

        Raises:
            ValueError: the layer reads in both directions, or is a transformer.
        """
        carry, y = self._recurrent().step(carry, jnp.asarray(x, self.dtype))
        return carry, self.score(y).astype(jnp.float32)

    def _recurrent(self) -> Recurrent | RecurrentBlocks:
        if isinstance(self.layer, Transformer):
            raise ValueError("a transformer has no carry to stream with: use a recurrent layer, or the whole sequence")
        return self.layer


def ctc_loss(
    logits: Float[Array, "T B V"], lengths: Int[Array, "B"], labels: Int[Array, "B N"], counts: Int[Array, "B"]
) -> Total:
    """The summed negative log likelihood of label sequences in nats, over all alignments, and the number of labels.

    A row with too few steps for its labels (each needs one, and one more between two equal ones) has no alignment and
    costs about 1e5 nats.

    Args:
        logits: `[T, B, V + 1]`; label 0 is the blank.
        lengths: int `[B]`, valid steps.
        labels: int `[B, N]`, 1 to V.
        counts: int `[B]`, valid labels; those after them do not matter.

    Returns:
        Two float32 scalars; their quotient is nats per label.
    """
    logits = jnp.asarray(logits, jnp.float32)
    past = jnp.arange(logits.shape[0])[:, None] >= jnp.asarray(lengths)[None]  # [T, B]
    logits = jnp.where(past[..., None], 0.0, logits)
    unused = jnp.arange(labels.shape[1])[None] >= jnp.asarray(counts)[:, None]
    losses = optax.ctc_loss(
        jnp.swapaxes(logits, 0, 1), past.T.astype(jnp.float32),
        jnp.where(unused, 0, jnp.asarray(labels)), unused.astype(jnp.float32),
    )  # fmt: skip
    return losses.sum(), jnp.asarray(counts).sum().astype(jnp.float32)
