"""The checks of `unroll`'s arguments: each error names the argument, what it is, and what was expected."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell, carry_shapes, check_cell, check_timed, param_shapes
from rnn_jax.checks import check_carry, check_dt, check_input, check_size, check_tree, nearest
from rnn_jax.typing import Carry, Checked, Params
from rnn_jax.unroll.method import Method


def check_arguments(
    cell: Cell,
    params: Params,
    xs: Checked[Any, "T *B D"],
    carry: Carry,
    dt: Checked[Any, "T *B"],
    lengths: Checked[Any, "*B"],
    mask: Checked[Any, "T *B"],
    resets: Checked[Any, "T *B"],
    segment_ids: Checked[Any, "T *B"],
    reverse: Any,
    method: Any,
    methods: Mapping[str, Method],
    checkpoint_every: int | None,
    time_axis: int,
) -> tuple[int, tuple[int, ...]]:
    """T and B, or a ValueError for the first argument of `unroll` that is wrong."""
    check_cell("cell", cell)
    if time_axis not in (0, 1):
        raise ValueError(f"time_axis={time_axis!r}: expected 0 or 1")
    if not isinstance(reverse, bool | np.bool_):
        raise ValueError(f"reverse={reverse!r}: expected True or False")
    leading = check_input("xs", xs, cell.input_shape)
    if len(leading) < time_axis + 1:
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in jax.tree.leaves(xs))
        raise ValueError(
            f"xs has shape {shapes}: expected time on axis {time_axis}, then the input dims {cell.input_shape}"
        )
    length = leading[time_axis]
    batch_shape = leading[:time_axis] + leading[time_axis + 1 :]
    swapped = "; where xs is [B, T, ...], say time_axis=1" if time_axis == 0 and len(leading) > 1 else ""
    check_tree("params", params, param_shapes(cell))
    if carry is not None:
        check_carry(carry, carry_shapes(cell, batch_shape), f" for xs with leading dims {leading}{swapped}")
    if lengths is not None:
        _check_lengths(lengths, length, batch_shape, swapped)
    if resets is not None and segment_ids is not None:
        raise ValueError("resets and segment_ids are both given: expected one, as each says where carries start anew")
    given_along = (("mask", mask, jnp.bool_), ("resets", resets, jnp.bool_), ("segment_ids", segment_ids, jnp.integer))
    for name, given, kind in given_along:
        if given is not None:
            if not hasattr(given, "dtype"):
                raise ValueError(f"{name}={given!r}: expected an array with the leading dims of xs, {list(leading)}")
            shape, dtype = np.shape(given), jnp.result_type(given)
            if shape != leading or not jnp.issubdtype(dtype, kind):
                wanted = "bool" if kind is jnp.bool_ else "integers "
                raise ValueError(
                    f"{name} is {dtype}{list(shape)}: expected {wanted}{list(leading)}, the leading dims of xs"
                )
    if mask is not None and lengths is not None:
        _check_agreement(mask, lengths, length, time_axis)
    if dt is not None:
        check_timed(cell)
        known = not isinstance(dt, jax.core.Tracer)
        check_dt(dt, leading, _steps_taken(mask, lengths, length, time_axis) if known else None)
    chosen = resolve(method, methods)
    if not chosen.applies(cell):
        usable = ", ".join(repr(name) for name, one in methods.items() if name != "auto" and one.applies(cell))
        reason = chosen.why_not(cell) if hasattr(chosen, "why_not") else ""
        why = f"; not this one, for {reason}" if reason else ""
        raise ValueError(f"method={method!r}: {type(cell).__name__} can use {usable}{why}")
    if checkpoint_every is not None:
        check_size("checkpoint_every", checkpoint_every)
    return length, batch_shape


def resolve(method: Any, methods: Mapping[str, Method]) -> Method:
    """The method of a name, or one that was given as it is.

    Raises:
        ValueError: it is neither; the message says what an object of one's own lacks.
    """
    if isinstance(method, str) and method in methods:
        return methods[method]
    lacks = [name for name in ("applies", "run") if not callable(getattr(method, name, None))]
    if not lacks and not isinstance(method, type):
        return method
    hint, names = "", ", ".join(repr(name) for name in methods if name != "auto")
    if not lacks:
        hint = f"; this is a class, call it: {method.__name__}(...)"
    elif not isinstance(method, str):
        hint = f"; it is no rnn_jax.Method, for it has no method {' and no method '.join(lacks)}"
    raise ValueError(
        f"method={method!r}: {nearest(method, methods)}expected 'auto', one of {names}, or rnn_jax.Newton(...){hint}"
    )


def _check_lengths(lengths: Any, length: int, batch_shape: tuple[int, ...], remedy: str) -> None:
    shape, dtype = np.shape(lengths), jnp.result_type(lengths)
    if shape != batch_shape or not jnp.issubdtype(dtype, jnp.integer):
        raise ValueError(
            f"lengths is {dtype}{list(shape)}: expected integers {list(batch_shape)}, one for each row{remedy}"
        )
    if isinstance(lengths, jax.core.Tracer):
        return
    values = np.asarray(lengths)
    outside = values[(values < 0) | (values > length)]
    if outside.size:
        raise ValueError(f"lengths has {outside.ravel()[:5].tolist()}: expected 0 to {length}, the steps in xs{remedy}")


def _steps_taken(mask: Any, lengths: Any, length: int, time_axis: int) -> Any:
    """Bool, the leading dims of xs: the steps that are taken; None is all, and not yet known is a tracer."""
    if isinstance(mask, jax.core.Tracer) or isinstance(lengths, jax.core.Tracer):
        return mask if isinstance(mask, jax.core.Tracer) else lengths
    if lengths is None:
        return mask
    steps = np.arange(length).reshape(-1, *(1,) * np.ndim(lengths))
    inside = np.moveaxis(steps < np.asarray(lengths), 0, time_axis)
    return inside if mask is None else inside & np.asarray(mask)


def _check_agreement(mask: Any, lengths: Any, length: int, time_axis: int) -> None:
    """Raise ValueError where a mask takes steps past a row's length, if both are known."""
    if isinstance(mask, jax.core.Tracer) or isinstance(lengths, jax.core.Tracer):
        return
    taken = np.moveaxis(np.asarray(mask), time_axis, 0)
    last = length - np.argmax(taken[::-1], axis=0) if length else np.zeros(taken.shape[1:], int)
    if np.any(past := taken.any(axis=0) & (last > np.asarray(lengths))):
        row = tuple(int(i[0]) for i in np.nonzero(past)) if past.ndim else ()
        step, allowed = int(last[row]) - 1, int(np.asarray(lengths)[row])
        raise ValueError(
            f"mask takes step {step} of row {list(row)}, whose length is {allowed} by lengths: leave one of the two out"
        )
