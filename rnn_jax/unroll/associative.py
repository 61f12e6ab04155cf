"""All steps at once: the maps of a linear cell composed by a parallel prefix scan. Blelloch 1990."""

from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import widened
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll.scope import Scope, where_rows
from rnn_jax.unroll.segments import in_segments


def associative(
    cell: Any, params: Params, xs: jax.Array, carry: Carry, scope: Scope, reverse: bool, key: jax.Array | None
) -> tuple[Carry, jax.Array]:
    """The final carry and the outputs `[T, B, H]` of one `LinearCell`. Accumulates in float32 or wider."""
    del key  # linear cells have no noise
    dtypes = jax.tree.map(lambda c: c.dtype, carry)
    carry = jax.tree.map(widened, carry)
    start = None if scope.resets is None else scope.start(cell, carry)

    def segment(carry: Carry, inputs: Any) -> tuple[Carry, jax.Array]:
        xs, valid, resets = inputs
        z = cell.project(params, xs)
        elements = jax.tree.map(widened, cell.elements(params, z))
        if valid is not None:
            elements = where_rows(valid, elements, cell.identity(elements))
        before = _over_time(carry, xs.shape[0])
        if resets is None:
            prefixes = jax.lax.associative_scan(cell.combine, elements, reverse=reverse)
        else:
            if valid is not None:
                resets = resets & valid
            prefixes, resets = jax.lax.associative_scan(since_reset, (elements, resets), reverse=reverse)
            before = where_rows(resets, _over_time(start, xs.shape[0]), before)
        carries = cell.apply(prefixes, before)
        ys = cell.read(params, carries, z)
        return jax.tree.map(lambda c: c[0 if reverse else -1], carries), ys

    def since_reset(first: Any, second: Any) -> Any:
        """Compose maps, forgetting what is before a reset: selected away, so that not even its NaN comes through."""
        (earlier, was_reset), (later, is_reset) = first, second
        kept = where_rows(is_reset, cell.identity(earlier), earlier)
        return cell.combine(kept, later), was_reset | is_reset

    if xs.shape[0] == 0:
        ys = cell.read(params, _over_time(carry, 0), cell.project(params, xs))
    else:
        carry, ys = in_segments(segment, carry, (xs, scope.valid, scope.resets), scope.checkpoint_every, reverse)
    return jax.tree.map(lambda c, dtype: c.astype(dtype), carry, dtypes), ys


def _over_time(carry: Carry, length: int) -> Carry:
    return jax.tree.map(lambda c: jnp.broadcast_to(c[None], (length, *c.shape)), carry)
