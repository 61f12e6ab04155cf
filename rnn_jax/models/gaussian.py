"""Numbers with their uncertainty at every step: a mean and a standard deviation for each, out of what came before.

Nix & Weigend 1994, "Estimating the mean and variance of the target probability distribution".
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_rate, check_size
from rnn_jax.compose import dropout
from rnn_jax.losses import Total
from rnn_jax.models.blocks import Layers, RecurrentBlocks
from rnn_jax.models.transformer import Transformer
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array, Bool, Carry, DType, Float, Hidden, Int, Key, Num, at_least_float32

WIDTH = 1.645
"""Standard deviations from the mean to the ends of an interval that holds 90 % of a normal distribution."""
LEAST = 1e-2
"""The smallest standard deviation that a model states: beneath it the likelihood has no bound."""


class Normal(NamedTuple):
    """Normal distributions."""

    mean: Float[jax.Array, "*B N"]
    std: Float[jax.Array, "*B N"]


class GaussianModel(nnx.Module):
    """p(numbers | steps so far) for every step, a normal distribution for each number.

    Args:
        layer: one of `Layers`, which reads in one direction where a step must not see what comes after it.
        outputs: N, numbers at each step, in units in which they are about 1 large.
        dropout_rate: on the outputs of the layer, in training.
        dtype: of the computation; parameters are float32, and so are the distributions.
        rngs: the stream `params` (or `default`) draws the parameters.
    """

    def __init__(
        self,
        layer: Layers,
        outputs: int = 1,
        *,
        dropout_rate: float = 0.0,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_size("outputs", outputs)
        check_rate("dropout_rate", dropout_rate)
        self.layer = layer
        self.read = nnx.Linear(layer.output_size, 2 * outputs, dtype=dtype, rngs=rngs)
        self.dropout_rate, self.dtype = dropout_rate, dtype

    def __call__(
        self, xs: Num[Array, "T *B D"], lengths: Int[Array, "*B"] | None = None, *, key: Key | None = None
    ) -> Normal:
        """Distributions float32 `[T, B, N]`.

        Args:
            xs: `[T, B, D]`.
            lengths: int `[B]`, valid steps; what lies after them has no influence on those before.
            key: a typed key: training, with dropout.
        """
        keys = (None, None) if key is None else tuple(jax.random.split(key))
        ys = self.layer(jnp.asarray(xs, self.dtype), lengths=lengths, key=keys[0]).ys
        return self._normal(dropout(keys[1], ys, self.dropout_rate))

    def initial_carry(self, batch_shape: tuple[int, ...] = ()) -> Carry:
        """The carry before the first step of a stream."""
        return self._recurrent().initial_carry(batch_shape, at_least_float32(self.dtype))

    def step(self, carry: Carry, x: Num[Array, "*B D"]) -> tuple[Carry, Normal]:
        """One step x `[B, D]` to the next carry and distributions `[B, N]`, for streaming.

        Raises:
            ValueError: the layer reads in both directions, or is a transformer.
        """
        carry, y = self._recurrent().step(carry, jnp.asarray(x, self.dtype))
        return carry, self._normal(y)

    def _normal(self, ys: Hidden) -> Normal:
        mean, raw = jnp.split(self.read(ys).astype(jnp.float32), 2, axis=-1)
        return Normal(mean, jax.nn.softplus(raw) + LEAST)

    def _recurrent(self) -> Recurrent | RecurrentBlocks:
        if isinstance(self.layer, Transformer):
            raise ValueError("a transformer has no carry to stream with: use a recurrent layer, or the whole sequence")
        return self.layer


def gaussian_nats(
    predicted: Normal,
    targets: Float[Array, "*B"],
    weights: Num[Array, "*B"] | Bool[Array, "*B"],
    *,
    beta: float = 0.0,
) -> Total:
    """The summed negative log likelihood of numbers in nats, and the sum of their weights.

    With β, each term is weighted by σ^(2β), which takes no part in the gradient (Seitzer et al. 2022, arXiv:2203.09168,
    equation 5): at 0 it is the likelihood, at 1 the mean is fitted as by squared errors. The sum is then a likelihood
    no longer, but keeps its minimum.

    Args:
        predicted: distributions `[...]`.
        targets: `[...]`.
        weights: `[...]`, 0 where a target does not count; it may then be anything, NaN too.
        beta: β, from 0 to 1.

    Returns:
        Two float32 scalars.
    """
    counted = jnp.asarray(weights) > 0
    targets = jnp.where(counted, jnp.asarray(targets, jnp.float32), 0.0)
    mean, std = jnp.where(counted, predicted.mean, 0.0), jnp.where(counted, predicted.std, 1.0)
    losses = 0.5 * ((targets - mean) / std) ** 2 + jnp.log(std) + 0.5 * math.log(2 * math.pi)
    losses = losses * jax.lax.stop_gradient(std) ** (2 * beta)
    return (losses * weights).sum(), jnp.asarray(weights, jnp.float32).sum()
