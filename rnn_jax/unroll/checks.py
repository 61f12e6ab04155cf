"""The checks of `unroll`'s arguments: each error names the argument, what it is, and what was expected."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell
from rnn_jax.checks import check_input, check_size
from rnn_jax.typing import Array, Carry, Checked, Params
from rnn_jax.unroll.method import Method


def check_arguments(
    cell: Cell,
    params: Params,
    xs: Checked[Array, "T *B D"],
    carry: Carry,
    lengths: Checked[Any, "*B"],
    resets: Checked[Any, "T *B"],
    method: Any,
    methods: Mapping[str, Method],
    checkpoint_every: int | None,
    time_axis: int,
) -> None:
    """Raise a ValueError for the first argument of `unroll` that is wrong."""
    if not isinstance(cell, Cell):
        raise ValueError(f"cell has type {type(cell).__name__}: expected a rnn_jax.Cell, such as rnn_jax.LSTM(8, 16)")
    if time_axis not in (0, 1):
        raise ValueError(f"time_axis={time_axis!r}: expected 0 or 1")
    check_input("xs", xs, cell.input_shape)
    leading = tuple(xs.shape[: xs.ndim - len(cell.input_shape)])
    if len(leading) < time_axis + 1:
        raise ValueError(
            f"xs has shape {tuple(xs.shape)}: expected time on axis {time_axis}, then the input dims {cell.input_shape}"
        )
    length = leading[time_axis]
    batch_shape = leading[:time_axis] + leading[time_axis + 1 :]
    _check_tree("params", params, jax.eval_shape(cell.init, jax.random.key(0)))
    if carry is not None:
        _check_tree("carry", carry, jax.eval_shape(lambda: cell.initial_carry(batch_shape)))
    if lengths is not None:
        _check_lengths(lengths, length, batch_shape)
    if resets is not None:
        shape, dtype = np.shape(resets), jnp.result_type(resets)
        if shape != leading or dtype != jnp.bool_:
            raise ValueError(f"resets is {dtype}{list(shape)}: expected bool{list(leading)}, the leading dims of xs")
    if not resolve(method, methods).applies(cell):
        raise ValueError(f"method={method!r}: {type(cell).__name__} can use {', '.join(map(repr, cell.methods))}")
    if checkpoint_every is not None:
        check_size("checkpoint_every", checkpoint_every)


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
    hint, names = "", [repr(name) for name in methods if name != "auto"]
    if not lacks:
        hint = f"; this is a class, call it: {method.__name__}(...)"
    elif not isinstance(method, str):
        hint = f"; it is no rnn_jax.Method, for it has no method {' and no method '.join(lacks)}"
    raise ValueError(f"method={method!r}: expected 'auto', one of {', '.join(names)}, or rnn_jax.Newton(...){hint}")


def _check_lengths(lengths: Any, length: int, batch_shape: tuple[int, ...]) -> None:
    shape, dtype = np.shape(lengths), jnp.result_type(lengths)
    if shape != batch_shape or not jnp.issubdtype(dtype, jnp.integer):
        raise ValueError(f"lengths is {dtype}{list(shape)}: expected integers {list(batch_shape)}, one for each row")
    if isinstance(lengths, jax.core.Tracer):
        return
    values = np.asarray(lengths)
    outside = values[(values < 0) | (values > length)]
    if outside.size:
        raise ValueError(f"lengths has {outside.ravel()[:5].tolist()}: expected 0 to {length}, the steps in xs")


def _check_tree(name: str, tree: Any, expected: Any) -> None:
    """Compare names and shapes leaf by leaf; dtypes are free (params may be float32 under bfloat16 inputs)."""
    given, wanted = (
        {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(t)}
        for t in (tree, expected)
    )
    for path in wanted.keys() - given.keys():
        raise ValueError(f"{name}{path} is missing: expected an array {list(wanted[path].shape)}")
    for path in given.keys() - wanted.keys():
        raise ValueError(f"{name}{path} is not part of this cell: expected {', '.join(wanted) or 'nothing'}")
    for path, leaf in wanted.items():
        if np.shape(given[path]) != leaf.shape:
            raise ValueError(f"{name}{path} has shape {np.shape(given[path])}: expected {leaf.shape}")
