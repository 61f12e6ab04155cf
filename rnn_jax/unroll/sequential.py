"""Step by step: inputs projected as one product, then a `jax.lax.scan` over the recurrent part."""

from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll.scope import Scope, where_rows


def sequential(
    cell: Cell, params: Params, xs: jax.Array, carry: Carry, scope: Scope, reverse: bool, key: jax.Array | None
) -> tuple[Carry, jax.Array]:
    """The final carry and the outputs `[T, B, H]` of one cell, for any cell."""
    length = xs.shape[0]
    noise = None if key is None else cell.noise(key, length, scope.batch_shape)
    start = None
    if scope.resets is not None:
        start = jax.tree.map(lambda s, c: s.astype(c.dtype), cell.initial_carry(scope.batch_shape), carry)

    def step(carry: Carry, inputs: Any) -> tuple[Carry, jax.Array]:
        z, noise, valid, resets = inputs
        before = carry
        if resets is not None:
            carry = where_rows(resets, start, carry)
        if key is None:
            after, y = cell.step(params, carry, z)
        else:
            after, y = cell.noisy_step(params, carry, z, noise)
        return (after if valid is None else where_rows(valid, after, before)), y

    def segment(carry: Carry, inputs: Any) -> tuple[Carry, jax.Array]:
        xs, *rest = inputs
        return jax.lax.scan(step, carry, (cell.project(params, xs), *rest), reverse=reverse)

    inputs = (xs, noise, scope.valid, scope.resets)
    every = scope.checkpoint_every
    if every is None or every >= length:
        return segment(carry, inputs)
    return _in_segments(jax.checkpoint(segment), carry, inputs, length, every, reverse)


def _in_segments(segment, carry: Carry, inputs: Any, length: int, every: int, reverse: bool):
    """Scan over segments of `every` steps; the last steps of a sequence that does not divide are one more segment."""
    whole = length - length % every
    body = jax.tree.map(lambda a: a[:whole].reshape(-1, every, *a.shape[1:]), inputs)
    tail = jax.tree.map(lambda a: a[whole:], inputs)
    tail_ys = None
    if reverse and whole < length:
        carry, tail_ys = segment(carry, tail)
    carry, ys = jax.lax.scan(segment, carry, body, reverse=reverse)
    ys = ys.reshape(whole, *ys.shape[2:])
    if not reverse and whole < length:
        carry, tail_ys = segment(carry, tail)
    return carry, ys if tail_ys is None else jnp.concatenate([ys, tail_ys])
