"""Array aliases and the one legend of dimension letters.

    T  time steps          B  batch (any number of leading dims, none included)
    D  input features      H  hidden features       V  vocabulary

Inside the library arrays are time-major, `[T, B, ...]`. Time is counted in steps unless a docstring gives a unit.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array | np.ndarray
"""What public functions accept; they return `jax.Array`."""

Params = Any
"""Nested dicts of arrays: `{"input": {"kernel", "bias"}, "recurrent": {"kernel", ...}}`; kernels are (in, out)."""

Carry = Any
"""A pytree of arrays `[B, ...]`: everything a cell remembers between two steps."""

DType = Any
"""Anything that `jnp.dtype` takes."""


def at_least_float32(dtype: DType) -> DType:
    """`dtype`, or float32 where it is narrower: for what bfloat16 is too coarse for, or has no routine for."""
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32
