"""Cells whose recurrent kernel is made of a skew-symmetric matrix, A = −Aᵀ, given by the numbers above its diagonal.

The kernel is worked out once for a sequence, in `prepare`, in float32 or wider whatever the dtype of the parameters.
"""

import abc

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import GatedCell, HiddenCell, dense, widened
from rnn_jax.typing import Array, Float, Hidden, Params, Product


def skew_symmetric(above: Float[Array, "{size}*({size}-1)//2"], size: int) -> Float[jax.Array, "{size} {size}"]:
    """A `[size, size]` from the `size (size − 1) / 2` numbers above its diagonal, row by row; float32 or wider."""
    above = widened(above)
    upper = jnp.zeros((size, size), above.dtype).at[jnp.triu_indices(size, 1)].set(above)
    return upper - upper.T


class SkewCell(HiddenCell, GatedCell):
    """A cell with `recurrent.skew [H (H − 1) / 2]`; prepared parameters have `recurrent.kernel [H, H]` beside it."""

    @abc.abstractmethod
    def kernel(self, skew: Float[jax.Array, "H H"]) -> Float[jax.Array, "H H"]:
        """The recurrent kernel from the skew-symmetric matrix, both `[H, H]`."""

    def prepare(self, params: Params) -> Params:
        recurrent = params["recurrent"]
        if "kernel" in recurrent:
            return params
        kernel = self.kernel(skew_symmetric(recurrent["skew"], self.hidden_size))
        return params | {"recurrent": recurrent | {"kernel": kernel}}

    def recur(self, params: Params, carry: Hidden) -> Product:
        return dense(carry, self.prepare(params)["recurrent"]["kernel"])
