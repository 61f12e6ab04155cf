"""`unroll`: run a cell through time. One method a file; every method gives the same values and gradients."""

import dataclasses
import functools
from typing import Any, Literal, NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell, Composite, timed_inputs, wide_type
from rnn_jax.typing import Carry, Checked, Float, Key, Params
from rnn_jax.unroll.associative import Associative
from rnn_jax.unroll.auto import Auto, automatic
from rnn_jax.unroll.checks import check_arguments, resolve
from rnn_jax.unroll.cudnn import CuDNN
from rnn_jax.unroll.fixed_point import NewtonReport
from rnn_jax.unroll.fused import Fused, fused_build, fused_report
from rnn_jax.unroll.method import Method, MethodResult, methods_taken, note_taken
from rnn_jax.unroll.newton import Newton
from rnn_jax.unroll.precision import wide
from rnn_jax.unroll.scope import Scope, boundaries, placed_like, rows_of, rows_placed, where_rows
from rnn_jax.unroll.sequential import Sequential
from rnn_jax.unroll.traced import Trace, Traced

__all__ = [
    "METHODS",
    "Associative",
    "Auto",
    "Fused",
    "Method",
    "MethodResult",
    "Newton",
    "NewtonReport",
    "Scope",
    "Sequential",
    "Trace",
    "Traced",
    "Unrolled",
    "UnrolledCarries",
    "automatic",
    "fused_build",
    "fused_report",
    "methods_of",
    "methods_taken",
    "newton_report",
    "unroll",
    "unroll_with_reports",
]

NEWTON = Newton()
METHODS: dict[str, Method] = {
    "auto": Auto(),
    "sequential": Sequential(),
    "associative": Associative(),
    "newton": NEWTON,
    "fused": Fused(),
    "cudnn": CuDNN(),
}
"""The methods that have a name."""


class Unrolled(NamedTuple):
    """What `unroll` returns, in the order of `jax.lax.scan`: `carry, ys = unroll(...)`."""

    carry: Carry
    ys: Float[jax.Array, "T *B H"]


class UnrolledCarries(NamedTuple):
    """What `unroll(..., return_carries=True)` returns: `carry, ys, carries`."""

    carry: Carry
    ys: Float[jax.Array, "T *B H"]
    carries: Carry
    """After each step: the tree of `carry`, its leaves with time where `ys` have it, `[T, B, ...]`."""


@overload
def unroll(  # pyrefly: ignore[inconsistent-overload]  # the options are checked where they are named, below
    cell: Cell, params: Params, xs: Any, carry: Carry = None, *, return_carries: Literal[False] = False, **options: Any
) -> Unrolled: ...
@overload
def unroll(  # pyrefly: ignore[inconsistent-overload]
    cell: Cell, params: Params, xs: Any, carry: Carry = None, *, return_carries: Literal[True], **options: Any
) -> UnrolledCarries: ...
def unroll(
    cell: Cell,
    params: Params,
    xs: Checked[Any, "T *B D"],
    carry: Carry = None,
    *,
    dt: Checked[Any, "T *B"] = None,
    lengths: Checked[Any, "*B"] = None,
    mask: Checked[Any, "T *B"] = None,
    resets: Checked[Any, "T *B"] = None,
    segment_ids: Checked[Any, "T *B"] = None,
    reverse: bool = False,
    method: str | Method = "auto",
    checkpoint_every: int | None = None,
    time_axis: int = 0,
    key: Key | None = None,
    return_carries: bool = False,
) -> Unrolled | UnrolledCarries:
    """Run a cell (or a Stack, or a Bidirectional) over a sequence.

    Call it inside `jax.jit` (with `cell` static or closed over): outside, every call traces and compiles anew.

    Args:
        cell: what to run.
        params: its parameters, from `cell.init`.
        xs: inputs `[T, B, D]`; B is any number of batch dims, none included. T and B may be 0. For a cell whose
            `input_shape` is a tree, such a tree of arrays.
        carry: where to start; by default the initial carry, or the learned one of a `LearnedCarry`, in float32 or,
            where `xs` is wider, in its dtype. Steps are taken in float32 or wider, whatever the dtype of the carry:
            bfloat16 would lose what is added to it.
        dt: the time that passes before each step, the leading dims of `xs`, positive, for a cell that is `timed` (the
            equations of a cell say what it does with it); None is one unit each. A Stack or a Bidirectional gives it
            to every part that is. Steps that are left out, by `lengths` or by `mask`, take no time, and their dt may be
            anything: where time goes on meanwhile, add theirs to that of the next step. Like `resets` it is meant in
            the order in which steps are taken: with `reverse`, `dt[t]` is the time from step t + 1 to step t. A part
            that runs the other way, such as the backward half of a Bidirectional, takes the same ways back: before a
            step passes the time of the step that follows it, before its first step that of its segment's first.
            Values that are not above 0 are refused where they are known; under `jit` they are taken as they are.
        lengths: int `[B]`, the valid steps of each row (right padding). Past them outputs are zero, the carry stays
            as it was after the last valid step, and what stands in the padding has no influence, not even NaN. Values
            outside 0..T are refused where they are known; under `jit`, where they are not, they act as 0 or T.
        mask: bool, the leading dims of `xs`: where false a step is left out: its output is zero, the carry stays, and
            what stands in `xs` has no influence, nor has a reset there. A boundary of segments counts where the next
            step is taken. `lengths` are one case of it; where both are given it takes no step past them.
        resets: bool, the leading dims of `xs`: where true, the carry becomes the initial carry before that step
            (with `reverse`, before that step in the order in which steps are taken). A part of a composite that runs
            the other way, such as the backward half of a Bidirectional, starts anew at the same boundary.
        segment_ids: int, the leading dims of `xs`, in place of `resets`: the carry becomes the initial carry wherever
            the number is not that of the step before, in each direction. The first segment starts from `carry`.
        reverse: go from the last valid step to the first; `ys[t]` still belongs to `xs[t]`.
        method: "sequential", for every cell; "associative", parallel over time, for a `LinearCell`; "newton", or
            `Newton(...)` with options, parallel over time by iterations, for cells that are not linear; "fused", one
            call of native code for the whole loop on a CPU, for cells that are pointwise over units but for one product
            with the carry, compiled when it is first needed; "cudnn", for an LSTM in float32 without resets on a GPU of
            NVIDIA; "auto" takes the fastest by measurements, and never changes results beyond rounding. Any other
            `Method`, yours too.
        checkpoint_every: keep the carry only every so many steps for the gradient and recompute the steps between;
            memory for T steps falls from T to about T / n + n. None keeps everything.
        time_axis: where time stands in `xs`, `dt`, `mask`, `resets` and `ys`: 0 or 1.
        key: a typed key for what is random in training (dropout, zoneout). Without it nothing is random.
        return_carries: also return the carry after each step; at a step that is not taken, in the padding say, it is
            the one that stays. For "fused" and "cudnn", which keep none, "auto" takes another method.

    Returns:
        The final carry, and the outputs `[T, B, H]`; with `return_carries` all carries too, `[T, B, ...]`.

    Raises:
        ValueError: an argument has the wrong shape, type or value, or all carries are asked of a method that keeps
            none; the message names it.
    """
    options = (
        dt, lengths, mask, resets, segment_ids, reverse, method, checkpoint_every, time_axis, key, return_carries
    )  # fmt: skip
    return _unroll(cell, params, xs, carry, *options)[0]


def unroll_with_reports(
    cell: Cell,
    params: Params,
    xs: Checked[Any, "T *B D"],
    carry: Carry = None,
    *,
    method: str | Method = "auto",
    **options: Any,
) -> tuple[Any, list[Any]]:
    """`unroll`, and what the method has to tell of each cell, in the order in which they run; None where it is silent.

    Args:
        cell: what to run.
        params: its parameters.
        xs: inputs `[T, B, D]`.
        carry: where to start.
        method: whose reports: of `Newton`, a `NewtonReport`; of `Traced`, a `Trace`.
        options: all others of `unroll`.

    Raises:
        ValueError: as `unroll`.
    """
    return _unroll(cell, params, xs, carry, method=method, **options)


def methods_of(cell: Cell) -> tuple[str, ...]:
    """The names of the methods that a cell can use, "sequential" first; "auto" is not among them."""
    return tuple(name for name, method in METHODS.items() if name != "auto" and method.applies(cell))


def newton_report(
    cell: Cell,
    params: Params,
    xs: Checked[Any, "T *B D"],
    carry: Carry = None,
    *,
    method: Newton = NEWTON,
    **options: Any,
) -> tuple[Any, NewtonReport]:
    """`unroll` by Newton's method, and how it fared: for the metrics of a training step as it stands.

    Args:
        cell: what to run.
        params: its parameters.
        xs: inputs `[T, B, D]`.
        carry: where to start.
        method: options of Newton's method.
        options: all others of `unroll`.

    Returns:
        What `unroll` returns, and a report of scalars over all rows, segments and cells. It is about the values; the
        gradient solves linear systems with the same Jacobians, and has its own checks.

    Raises:
        ValueError: as `unroll`.
    """
    unrolled, reports = unroll_with_reports(cell, params, xs, carry, method=method, **options)
    return unrolled, functools.reduce(NewtonReport.joined, reports, NewtonReport.none())


def _unroll(
    cell: Cell,
    params: Params,
    xs: Checked[Any, "T *B D"],
    carry: Carry,
    dt: Checked[Any, "T *B"] = None,
    lengths: Checked[Any, "*B"] = None,
    mask: Checked[Any, "T *B"] = None,
    resets: Checked[Any, "T *B"] = None,
    segment_ids: Checked[Any, "T *B"] = None,
    reverse: bool = False,
    method: str | Method = "auto",
    checkpoint_every: int | None = None,
    time_axis: int = 0,
    key: Key | None = None,
    return_carries: bool = False,
) -> tuple[Any, list[Any]]:
    dt, lengths, mask, resets, segment_ids = map(_as_array, (dt, lengths, mask, resets, segment_ids))
    length, batch_shape = check_arguments(
        cell,
        params,
        xs,
        carry,
        dt,
        lengths,
        mask,
        resets,
        segment_ids,
        reverse,
        method,
        METHODS,
        checkpoint_every,
        time_axis,
    )
    xs, dt, mask, resets, segment_ids = jax.tree.map(
        lambda a: jnp.moveaxis(jnp.asarray(a), time_axis, 0), (xs, dt, mask, resets, segment_ids)
    )
    rows = rows_of(xs, len(batch_shape))
    dt, valid, resets, segment_ids = rows_placed(rows, (dt, mask, resets, segment_ids), 1)
    if lengths is not None:
        steps = jnp.arange(length).reshape((-1,) + (1,) * len(batch_shape))
        inside = rows_placed(rows, jnp.less(*jnp.broadcast_arrays(steps, jnp.asarray(lengths)[None])), 1)
        valid = inside if valid is None else valid & inside
    if valid is not None:
        # Zeros in the padding keep its NaN and infinities out of the gradient, where 0 · NaN would let them back in.
        xs = where_rows(valid, xs, jax.tree.map(jnp.zeros_like, xs))
        dt = None if dt is None else jnp.where(valid, dt, jnp.ones_like(dt))
    if segment_ids is not None:
        resets = boundaries(segment_ids, reverse, valid)
    if carry is None:
        carry = cell.start(params, batch_shape, wide_type(xs))
    carry = placed_like((params, xs, dt, valid, resets), jax.tree.map(jnp.asarray, carry), rows)
    dtypes = jax.tree.map(lambda leaf: leaf.dtype, carry)
    along = Scope(
        length, batch_shape, valid, resets, checkpoint_every, rows, gaps=mask is not None, dt=dt, carries=return_carries
    )
    scopes = {reverse: along, not reverse: along.against(reverse)}
    chosen, reports = resolve(method, METHODS), []

    def run(
        cell: Cell, params: Params, xs: Any, carry: Carry, reverse: bool, key: jax.Array | None, start: Carry = None
    ) -> Any:
        if isinstance(cell, Composite):
            return cell.unroll_parts(run, params, xs, carry, reverse, key)
        scope = dataclasses.replace(scopes[reverse], initial=start)
        if not isinstance(chosen, Auto):  # which knows better
            note_taken(type(chosen).__name__.lower(), cell, scope)
        inputs = timed_inputs(cell, xs, scope.dt)
        result = MethodResult(*chosen.run(cell, cell.prepare(params), inputs, carry, scope, reverse, key))
        if return_carries and result.carries is None:
            raise ValueError(
                f"method={method!r}: it gives no carries (`MethodResult.carries`); with return_carries=True expected "
                "'auto' or another method"
            )
        reports.append(result.report)
        ys = result.ys if valid is None else where_rows(valid, result.ys, jnp.zeros_like(result.ys))
        return (_LastAndAll(result.carry, result.carries) if return_carries else result.carry), ys

    carry, ys = run(cell, params, xs, wide(carry), reverse, key)
    ys = jnp.moveaxis(ys, 0, time_axis) if time_axis else ys
    if not return_carries:
        return Unrolled(jax.tree.map(lambda leaf, dtype: leaf.astype(dtype), carry, dtypes), ys), reports
    last, carries = (jax.tree.map(lambda both, i=i: both[i], carry, is_leaf=_is_both) for i in (0, 1))
    last, carries = (jax.tree.map(lambda leaf, dtype: leaf.astype(dtype), one, dtypes) for one in (last, carries))
    return UnrolledCarries(last, ys, jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, time_axis), carries)), reports


class _LastAndAll(NamedTuple):
    """What stands for the carry of a part while composites put the carries of their parts together."""

    carry: Carry
    carries: Carry


def _is_both(node: Any) -> bool:
    return isinstance(node, _LastAndAll)


def _as_array(a: Any) -> Any:
    """Lists as arrays, of values that are known where they are."""
    if not isinstance(a, list | tuple):
        return a
    known = not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(a))
    return np.asarray(a) if known else jnp.asarray(a)
