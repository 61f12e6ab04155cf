"""Shapes of arrays as types, and the one legend of dimension letters.

    T  time steps                               *B  batch: any number of leading dims, none included; time and, of
    D  input features                               images, space may be among them. B alone is one dim
    H  hidden features, and outputs             C   classes; steps of a chunk
    G  features of a projected input            E   features of an embedding
    R  features of a recurrent product          F   features of what a layer has read
    V  vocabulary; features of a value          A   features that attention compares
    K  features of a key; beams, bins, bits     Q   features of a query; quantiles
    N  heads; states; examples; labels          S   steps of a source
    L  layers, or taps of a convolution         M   numbers that are packed; units of a block
    W  window, all taps of a convolution        n   numbers of a carry; tokens of a prompt

    *window  of a convolution over space        *dims  any that do not matter

`Float[Array, "T *B D"]` is an array of any floating-point type with these dims, and a letter means one size in all of a
signature: jaxtyping (Kidger 2022). Nothing is checked in use. In this project's tests every call is, so that a wrong
shape fails where it enters, with the name of the argument. Inside the library arrays are time-major, `[T, B, ...]`.
Time is counted in steps unless a docstring gives a unit.

Where a function checks an array by itself, with a ValueError for its user, the type is `Checked[Array, "T *B D"]`: it
says the shape and leaves the check to the function, in tests too.
"""

from typing import Annotated as Checked
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Inexact, Num, Shaped
from jaxtyping import Integer as Int
from jaxtyping import Key as _Key

__all__ = [
    "Array",
    "Bool",
    "Carry",
    "Checked",
    "DType",
    "Float",
    "Hidden",
    "Inexact",
    "Inputs",
    "Int",
    "Key",
    "Num",
    "Output",
    "Params",
    "Product",
    "Projected",
    "Shaped",
    "at_least_float32",
]

Array = jax.Array | np.ndarray
"""What public functions accept; they return `jax.Array`."""

Key = _Key[jax.Array, ""]
"""A typed key, `jax.random.key(seed)`."""

Params = Any
"""Nested dicts of arrays: `{"input": {"kernel", "bias"}, "recurrent": {"kernel", ...}}`; kernels are (in, out)."""

Carry = Any
"""A pytree of arrays `[B, ...]`: everything a cell remembers between two steps."""

Inputs = Float[Array, "*B D"]
"""What a cell reads."""

Projected = Float[jax.Array, "*B G"]
"""The part of a step that does not depend on the carry."""

Product = Float[jax.Array, "*B R"]
"""The part of a step that is a product with the carry."""

Hidden = Float[jax.Array, "*B H"]
"""A hidden state."""

Output = Float[jax.Array, "*B H"]
"""What a cell gives."""

DType = Any
"""Anything that `jnp.dtype` takes."""


def at_least_float32(dtype: DType) -> DType:
    """`dtype`, or float32 where it is narrower: for what bfloat16 is too coarse for, or has no routine for."""
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32
