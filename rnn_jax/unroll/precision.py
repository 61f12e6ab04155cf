"""Steps in float32 or wider, whatever the dtype of the inputs.

What a carry gathers over thousands of steps is lost in bfloat16, where 256 + 1 is 256: inputs, products with them and
outputs may be narrow, a carry and what is added to it may not.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import widened
from rnn_jax.typing import Carry, Params


def wide(tree: Any) -> Any:
    """The floating leaves in float32 or wider."""
    return jax.tree.map(lambda leaf: widened(leaf) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree)


def widely(step: Callable[..., tuple[Carry, Any]], params: Params, carry: Carry, z: Any) -> tuple[Carry, Any]:
    """`step(params, carry, z)` with `z` in float32 or wider; the output has the dtype that it has without that."""
    if all(a.dtype == b.dtype for a, b in zip(jax.tree.leaves(wide(z)), jax.tree.leaves(z), strict=True)):
        return step(params, carry, z)
    dtype = jax.eval_shape(step, params, carry, z)[1].dtype
    after, y = step(params, carry, wide(z))
    return after, y.astype(dtype)
