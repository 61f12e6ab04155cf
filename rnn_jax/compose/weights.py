"""What is random in training about weights: DropConnect on the recurrent ones, and noise on all."""

import abc
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, Run, param_shapes, plain_fields
from rnn_jax.checks import check_rate
from rnn_jax.compose.wrapper import CompositeWrapper
from rnn_jax.typing import Carry, Checked, Key, Output, Params

RECURRENT = ("recurrent", "kernel")
"""Where the kernel that multiplies the carry stands in the parameters of a cell."""


class _RandomWeights(CompositeWrapper):
    """In training, weights that are drawn once for a sequence and for all its rows."""

    @abc.abstractmethod
    def drawn(self, key: Key, params: Params) -> Params:
        """The parameters of a sequence in training."""

    def unroll_parts(
        self, run: Run, params: Params, xs: Checked[Any, "T *B D"], carry: Carry, reverse: bool, key: Key | None
    ) -> tuple[Carry, Output]:
        if key is not None:
            own, key = jax.random.split(key)
            params = self.drawn(own, params)
        return run(self.cell, params, xs, carry, reverse, key)


@dataclasses.dataclass(frozen=True)
class WeightDrop(_RandomWeights):
    """DropConnect on the recurrent kernel: in training each weight is zero with probability `rate`, others are scaled.

    One mask for all steps and rows of a sequence. Merity et al. 2017, arXiv:1708.02182, section 2 (AWD-LSTM, with a
    rate of 0.5), after Wan et al. 2013, "Regularization of neural networks using DropConnect". Weights that stay are
    divided by 1 − rate, as in the code of the paper, so that without a key the kernel is used as it is.

    Args:
        cell: a cell or a composite; each `recurrent.kernel` in it has a mask of its own.
        rate: probability of a zero.

    Raises:
        ValueError: the rate is no probability, or there is no recurrent kernel.
    """

    cell: Cell
    rate: float

    def __post_init__(self):
        super().__post_init__()
        plain_fields(self)
        check_rate("rate", self.rate)
        paths = jax.tree_util.tree_flatten_with_path(param_shapes(self.cell))[0]
        if not any(_is_recurrent(path) for path, _ in paths):
            raise ValueError(f"cell={self.cell}: expected a cell with a recurrent kernel, such as LSTM or GRU")

    def drawn(self, key: Key, params: Params) -> Params:
        def drop(path: Any, leaf: jax.Array, key: jax.Array) -> jax.Array:
            if not _is_recurrent(path) or not self.rate:
                return leaf
            keep = jax.random.bernoulli(key, 1 - self.rate, leaf.shape)
            return jnp.where(keep, leaf / (1 - self.rate), jnp.zeros_like(leaf))

        return jax.tree_util.tree_map_with_path(drop, params, _keys_like(key, params))


@dataclasses.dataclass(frozen=True)
class WeightNoise(_RandomWeights):
    """Gaussian noise on all weights of a cell in training, drawn once for a sequence; see `noisy_params`.

    Args:
        cell: a cell or a composite; what is never trained (see `Cell.trainable`) has no noise.
        deviation: of the noise.

    Raises:
        ValueError: the deviation is negative.
    """

    cell: Cell
    deviation: float

    def __post_init__(self):
        super().__post_init__()
        plain_fields(self)
        if not self.deviation >= 0:
            raise ValueError(f"deviation={self.deviation!r}: expected a standard deviation of at least 0")

    def drawn(self, key: Key, params: Params) -> Params:
        noisy = noisy_params(key, params, self.deviation)
        return jax.tree.map(lambda free, new, old: new if free else old, self.cell.trainable(params), noisy, params)


def noisy_params(key: jax.Array, params: Params, deviation: float) -> Params:
    """Parameters with Gaussian noise added to each; the gradient there is the gradient at the parameters themselves.

    Graves 2011, "Practical variational inference for neural networks", with one fixed deviation as in Graves et al.
    2013, arXiv:1303.5778.

    Args:
        key: a typed key, another one for each update.
        params: a pytree of arrays.
        deviation: of the noise; 0 for none.
    """
    if not deviation:
        return params

    def add(leaf: jax.Array, key: jax.Array) -> jax.Array:
        return leaf + deviation * jax.random.normal(key, leaf.shape, leaf.dtype)

    return jax.tree.map(add, params, _keys_like(key, params))


def _keys_like(key: jax.Array, params: Params) -> Any:
    leaves, tree = jax.tree.flatten(params)
    return tree.unflatten(jax.random.split(key, len(leaves)))


def _is_recurrent(path: Any) -> bool:
    return tuple(getattr(part, "key", None) for part in path[-2:]) == RECURRENT
