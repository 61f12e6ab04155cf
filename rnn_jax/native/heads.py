"""A cell with a block-diagonal recurrent kernel as what it is: several smaller cells side by side, the heads."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, GatedCell, param_shapes
from rnn_jax.native.units import NotPointwise
from rnn_jax.typing import Params


def heads_of(cell: Cell) -> int:
    """How many heads a cell has."""
    return cell.heads if isinstance(cell, GatedCell) else 1


def one_head(cell: Cell) -> Cell:
    """A cell of the size of one head."""
    count, record = heads_of(cell), cell
    if count == 1:
        return cell
    try:
        return dataclasses.replace(record, hidden_size=cell.hidden_size // count, heads=1)  # pyrefly: ignore
    except (TypeError, ValueError) as error:
        raise NotPointwise(f"its heads are no smaller cells of its kind: {error}") from None


def params_of_heads(cell: Cell, params: Params) -> Params:
    """Parameters of the heads, stacked `[N, ...]`.

    Raises:
        NotPointwise: an array is neither N blocks, nor parts that all heads have, nor without units.
    """
    count, like = heads_of(cell), param_shapes(one_head(cell))

    def apart(whole: Any, one: Any) -> Any:
        if whole.shape == (count, *one.shape):
            return whole
        if whole.shape == (count, *one.shape[1:]) and one.shape[:1] == (1,):
            return whole[:, None]
        if whole.shape == one.shape:  # no axis of units: all heads have it
            return jnp.broadcast_to(whole, (count, *one.shape))
        if whole.shape == (*one.shape[:-1], count * one.shape[-1]):
            return split_heads(whole, count, cell.hidden_size // count)
        raise NotPointwise(f"an array {list(whole.shape)} of its params is not {count} times one {list(one.shape)}")

    return jax.tree.map(apart, params, like)


def split_heads(array: Any, count: int, size: int) -> jax.Array:
    """`[..., P N h]`, parts that all heads have, as `[N, ..., P h]`."""
    if count == 1:
        return array[None]
    apart = array.reshape(*array.shape[:-1], -1, count, size)
    return jnp.moveaxis(apart, -2, 0).reshape(count, *array.shape[:-1], -1)


def join_heads(array: Any, dims: Sequence[int], size: int) -> jax.Array:
    """`[N, ..., P h]` as `[*dims, P N h]`: what `split_heads` has split."""
    count = array.shape[0]
    if count > 1:
        array = jnp.moveaxis(array.reshape(*array.shape[:-1], -1, size), 0, -2)
    return array.reshape(*dims, -1)
