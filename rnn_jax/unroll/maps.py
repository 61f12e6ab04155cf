"""The carries after each of a sequence of maps: one map after the other in a small loop, or all composed at once."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.linear.base import LinearCell
from rnn_jax.typing import Bool, Carry
from rnn_jax.unroll.scope import where_rows


def scan_maps(
    cell: LinearCell,
    elements: Any,
    carry: Carry,
    start: Carry,
    valid: Bool[jax.Array, "T *B"] | None,
    resets: Bool[jax.Array, "T *B"] | None,
    reverse: bool,
) -> Carry:
    """The carries `[T, B, ...]` of a `LinearCell` after each map, with nothing in the loop but the maps.

    Its derivative is written out. With Jₜ the derivative of a map by the carry, it is a loop of the same kind,

        ċₜ = Jₜ ċₜ₋₁ + uₜ,    uₜ = (∂map/∂element) · element˙ₜ

    and all uₜ are worked out before it. Transposed for reverse mode, the loop carries the gradient of the carry alone.

    Args:
        cell: whose `apply` to use.
        elements: the maps `[T, B, ...]`; a leaf `[1, ...]` is the same for all of them.
        carry: before the first map, `[B, ...]`.
        start: the carry that `resets` put in place, before a map.
        valid: bool `[T, B]`: the other maps are left out; None leaves none out.
        resets: bool `[T, B]`; None is nowhere.
        reverse: go from the last map to the first.
    """
    length = max(leaf.shape[0] for leaf in jax.tree.leaves(elements))
    moving = jax.tree.map(lambda e: e if e.shape[0] == length else None, elements)
    fixed = jax.tree.map(lambda e: None if e.shape[0] == length else e[0], elements)
    return _scanned(cell, length, reverse, moving, fixed, carry, start, (valid, resets))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _scanned(
    cell: LinearCell, length: int, reverse: bool, moving: Any, fixed: Any, carry: Carry, start: Carry, masks: Any
) -> Carry:
    def body(carry: Carry, inputs: Any) -> tuple[Carry, Carry]:
        element, (valid, resets) = inputs
        before = carry if resets is None else where_rows(resets, start, carry)
        after = cell.apply(_merged(element, fixed), before)
        after = after if valid is None else where_rows(valid, after, carry)
        return after, after

    return jax.lax.scan(body, carry, (moving, masks), length, reverse)[1]


@_scanned.defjvp
def _scanned_jvp(cell: LinearCell, length: int, reverse: bool, primals: Any, tangents: Any) -> tuple[Carry, Carry]:
    moving, fixed, carry, start, masks = primals
    moving_dot, fixed_dot, carry_dot, start_dot, _ = tangents
    carries = _scanned(cell, length, reverse, *primals)
    before = jax.tree.map(functools.partial(_shifted, reverse=reverse), carry, carries)
    if masks[1] is not None:
        before = where_rows(masks[1], over_time(start, length), before)
    everywhere = jax.tree.map(lambda f: f[None], fixed)
    _, u = jax.jvp(lambda moving: cell.apply(_merged(moving, everywhere), before), (moving,), (moving_dot,))

    def body(carry_dot: Carry, inputs: Any) -> tuple[Carry, Carry]:
        element, before, u, (valid, resets) = inputs
        before_dot = carry_dot if resets is None else where_rows(resets, start_dot, carry_dot)
        # The gradient of what all maps share is summed in the loop: that is less to write than one term a step.
        _, through = jax.jvp(
            lambda fixed, before: cell.apply(_merged(element, fixed), before), (fixed, before), (fixed_dot, before_dot)
        )
        after_dot = jax.tree.map(jnp.add, through, u)
        after_dot = after_dot if valid is None else where_rows(valid, after_dot, carry_dot)
        return after_dot, after_dot

    return carries, jax.lax.scan(body, carry_dot, (moving, before, u, masks), length, reverse)[1]


def compose_maps(
    cell: LinearCell,
    elements: Any,
    carry: Carry,
    start: Carry,
    valid: Bool[jax.Array, "T *B"] | None,
    resets: Bool[jax.Array, "T *B"] | None,
    reverse: bool,
) -> Carry:
    """What `scan_maps` gives, by a parallel prefix scan over the maps of a `LinearCell`: log T rounds."""
    length = max(leaf.shape[0] for leaf in jax.tree.leaves(elements))
    elements = jax.tree.map(lambda e: jnp.broadcast_to(e, (length, *e.shape[1:])), elements)
    before = over_time(carry, length)

    def since_reset(first: Any, second: Any) -> Any:
        """Compose maps, forgetting what is before a reset: selected away, so that not even its NaN comes through."""
        (earlier, was_reset), (later, is_reset) = first, second
        kept = where_rows(is_reset, cell.identity(earlier), earlier)
        return cell.combine(kept, later), was_reset | is_reset

    if valid is not None:
        elements = where_rows(valid, elements, cell.identity(elements))
    if resets is None:
        return cell.apply(jax.lax.associative_scan(cell.combine, elements, reverse=reverse), before)
    resets = resets if valid is None else resets & valid
    prefixes, was_reset = jax.lax.associative_scan(since_reset, (elements, resets), reverse=reverse)
    return cell.apply(prefixes, where_rows(was_reset, over_time(start, length), before))


def over_time(carry: Carry, length: int) -> Carry:
    """The same carry at each of `length` steps."""
    return jax.tree.map(lambda c: jnp.broadcast_to(c[None], (length, *c.shape)), carry)


def _merged(moving: Any, fixed: Any) -> Any:
    return jax.tree.map(lambda m, f: f if m is None else m, moving, fixed, is_leaf=lambda leaf: leaf is None)


def _shifted(first: jax.Array, rest: jax.Array, reverse: bool) -> jax.Array:
    return jnp.concatenate([rest[1:], first[None]] if reverse else [first[None], rest[:-1]])
