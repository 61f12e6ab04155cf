"""Run cells as `unroll` does, step by step, and keep what enters each step: what all looks inside of a cell begin with.

`follow` does so for a cell, a Stack or a Bidirectional; `follow_layers` for every `rnn_jax.nnx.Recurrent` in a model.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, Composite
from rnn_jax.nnx import unrolled_by
from rnn_jax.typing import Array, Carry, Params
from rnn_jax.unroll import Unrolled, unroll
from rnn_jax.unroll.checks import check_arguments
from rnn_jax.unroll.scope import Scope, where_rows


class NotApplicable(ValueError):
    """There is nothing to show of this model; the message says why."""


class Followed(NamedTuple):
    """One cell's way through a sequence; the cells of a Stack or a Bidirectional have one each."""

    cell: Cell
    """Without the wrappers around it."""
    params: Params
    """Prepared."""
    xs: jax.Array
    """Inputs `[T, B, D]`."""
    z: Any
    """What `cell.project` makes of them."""
    carries: Carry
    """The carry that enters each step, after resets, `[T, B, ...]`."""
    ys: jax.Array
    """Outputs `[T, B, H]`, zero past the lengths."""
    valid: jax.Array | None
    """bool `[T, B]`, true before each row's length; None where all steps are valid."""
    reverse: bool
    """Whether it runs from the last step to the first."""

    @property
    def leading(self) -> int:
        """How many dims are time and batch."""
        return self.xs.ndim - len(self.cell.input_shape)


def follow(
    cell: Cell,
    params: Params,
    xs: Array,
    carry: Carry = None,
    *,
    lengths: Any = None,
    resets: Any = None,
    reverse: bool = False,
    time_axis: int = 0,
    key: jax.Array | None = None,
    taps: Iterator[Any] | None = None,
    **unused: Any,
) -> tuple[Unrolled, list[Followed]]:
    """What `unroll` gives, and the way of each cell through the sequence, in the order in which they run.

    Args:
        cell: what to run; this and all others but `taps` as in `unroll`.
        params: its parameters.
        xs: inputs `[T, B, D]`.
        carry: where to start.
        lengths: the valid steps of each row.
        resets: where the carry starts anew.
        reverse: go from the last valid step to the first.
        time_axis: of `xs`, `resets` and the outputs; what is followed has time first.
        key: for what is random in training.
        taps: for each cell in turn a tree like its carry, `[T, ...]`, that is added to what enters its steps, or None;
            None for a leaf adds nothing. A derivative by a tap is one by the carry of that step.
        unused: options of `unroll` that change no value: the steps are taken one by one.

    Raises:
        ValueError: an argument has the wrong shape, type or value.
    """
    del unused
    check_arguments(cell, params, xs, carry, lengths, resets, "auto", (), None, time_axis)
    xs = jnp.moveaxis(jnp.asarray(xs), time_axis, 0)
    resets = None if resets is None else jnp.moveaxis(jnp.asarray(resets), time_axis, 0)
    batch_shape = xs.shape[1 : xs.ndim - len(cell.input_shape)]
    valid = None
    if lengths is not None:
        steps = jnp.arange(xs.shape[0]).reshape((-1,) + (1,) * len(batch_shape))
        valid = jnp.less(*jnp.broadcast_arrays(steps, jnp.asarray(lengths)[None]))
        xs = where_rows(valid, xs, jnp.zeros_like(xs))
    carry = jax.tree.map(jnp.asarray, cell.initial_carry(batch_shape, xs.dtype) if carry is None else carry)
    scope, parts = Scope(batch_shape, valid, resets, None), []

    def run(cell: Cell, params: Params, xs: jax.Array, carry: Carry, reverse: bool, key: jax.Array | None) -> Any:
        if isinstance(cell, Composite):
            return cell.unroll_parts(run, params, xs, carry, reverse, key)
        carry, part = _follow_one(cell, params, xs, carry, scope, reverse, key, next(taps, None) if taps else None)
        parts.append(part)
        return carry, part.ys

    carry, ys = run(cell, params, xs, carry, reverse, key)
    return Unrolled(carry, jnp.moveaxis(ys, 0, time_axis)), parts


def follow_layers(score: Callable[[], Any]) -> tuple[Any, list[Followed]]:
    """What `score()` returns, and the way of every cell in the `Recurrent` layers that it calls.

    A layer that is called within a loop or another transformation is left out: it has no values outside of that.
    """
    found: list[Followed] = []

    def run(*arguments: Any, **options: Any) -> Unrolled:
        unrolled, parts = follow(*arguments, **options)
        found.extend(part for part in parts if not isinstance(part.ys, jax.core.Tracer))
        return unrolled

    with unrolled_by(run):
        return score(), found


def layer_inputs(score: Callable[[], jax.Array]) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
    """What the first `Recurrent` layer that `score()` calls reads, and the score as a function of it.

    Raises:
        NotApplicable: there is no such layer, or it is called within a loop or another transformation.
    """
    _, parts = follow_layers(score)
    check_parts(parts)

    def of_inputs(inputs: jax.Array) -> jax.Array:
        first = iter([inputs])

        def run(cell: Cell, params: Params, xs: Array, *arguments: Any, **options: Any) -> Unrolled:
            return unroll(cell, params, next(first, xs), *arguments, **options)

        with unrolled_by(run):
            return score()

    return parts[0].xs, of_inputs


def check_parts(parts: Sequence[Followed]) -> None:
    """Raise `NotApplicable` where nothing could be followed."""
    if not parts:
        raise NotApplicable("no recurrent layer is called outside of loops, jax.jit and jax.vmap")


def part_names(parts: Sequence[Followed]) -> list[str]:
    """A name for each of them: its place in the order in which they run, its cell, its direction."""
    return [f"{i} {type(part.cell).__name__}{' backward' * part.reverse}" for i, part in enumerate(parts)]


def _follow_one(
    cell: Cell, params: Params, xs: jax.Array, carry: Carry, scope: Scope, reverse: bool, key: Any, tap: Any
) -> tuple[Carry, Followed]:
    params = cell.prepare(params)
    z = cell.project(params, xs)
    noise = None if key is None else cell.noise(key, xs.shape[0], scope.batch_shape)
    start = None if scope.resets is None else scope.start(cell, carry)

    def step(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
        z, noise, tap, valid, resets = inputs
        before = carry if tap is None else jax.tree.map(_tapped, tap, carry, is_leaf=lambda leaf: leaf is None)
        before = before if resets is None else where_rows(resets, start, before)
        after, y = cell.step(params, before, z) if key is None else cell.noisy_step(params, before, z, noise)
        return (after if valid is None else where_rows(valid, after, carry)), (before, y)

    carry, (carries, ys) = jax.lax.scan(step, carry, (z, noise, tap, scope.valid, scope.resets), reverse=reverse)
    ys = ys if scope.valid is None else where_rows(scope.valid, ys, jnp.zeros_like(ys))
    inner: Any = cell
    while isinstance(getattr(inner, "cell", None), Cell):  # wrappers that act in training have its params and carry
        inner = inner.cell
    return carry, Followed(inner, params, xs, z, carries, ys, scope.valid, reverse)


def _tapped(tap: jax.Array | None, leaf: jax.Array) -> jax.Array:
    return leaf if tap is None else leaf + tap
