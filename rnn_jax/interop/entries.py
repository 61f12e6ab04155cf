"""Weights by another library's names: copied into JAX, with every mistake named in one error.

Each file here writes its layout once, as a function from params to entries. What may be read is what that function
writes for a cell's own params, so the two directions cannot drift apart.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell, param_shapes
from rnn_jax.typing import Params

Entries = dict[str, jax.Array]

SHARED_OPTIONS = (
    "input_size", "hidden_size", "projection_size", "bias", "activation", "forget_bias", "recurrent_init", "longest",
)  # fmt: skip


def read_entries(source: str, found: Mapping[str, Any], cell: Cell, write: Callable[[Cell, Params], Any]) -> Entries:
    """Copies of `found`, which must have the names and shapes that `write(cell, params)` gives, in order of name.

    Raises:
        ValueError: names are missing or left over, shapes differ, or an array cannot keep its dtype in JAX.
    """
    wanted = jax.eval_shape(lambda key: write(cell, cell.init(key)), jax.random.key(0))
    _check_shapes(source, found, wanted)
    return {name: _copy(f"{source}: {name}", found[name]) for name in wanted}


def check_params(cell: Cell, params: Params) -> None:
    """Raise a ValueError unless `params` has the names and shapes of `cell.init`."""
    wanted = param_shapes(cell)
    _check_shapes(f"params of {cell}", _by_path(params), _by_path(wanted))


def check_option(owner: str, option: str, value: Any, supported: Iterable[Any], remedy: str = "") -> None:
    """Raise a ValueError unless an option of another library's layer has one of the supported values."""
    supported = tuple(supported)
    if value not in supported:
        expected = " or ".join(map(_name, supported))
        raise ValueError(f"{owner} has {option}={_name(value)}, which is not supported: expected {expected}{remedy}")


def check_cell(
    cell: Cell, library: str, supported: Iterable[type[Any]], *, options: tuple[str, ...] = (), remedy: str = ""
) -> None:
    """Raise a ValueError unless `cell` is of a supported type and computes what that type does by default.

    Of its options only those may differ from their defaults that a layer of the other library has too, or that
    concern nothing but starting values; `options` names more of them. `remedy` ends the message.
    """
    supported = tuple(supported)
    if type(cell) not in supported:
        names = ", ".join(kind.__name__ for kind in supported)
        raise ValueError(f"cell={cell}: {library} has no layer that is its equal; it has them for {names}{remedy}")
    record: Any = cell
    for field in dataclasses.fields(record):
        value = getattr(cell, field.name)
        if field.name not in (*SHARED_OPTIONS, *options) and value != field.default:
            raise ValueError(f"cell={cell}: {library} has no layer with {field.name}={value!r}{remedy}")


def _check_shapes(source: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    problems = [f"{name} {list(leaf.shape)} is missing" for name, leaf in wanted.items() if name not in found]
    problems += [f"{name} is not part of it" for name in found if name not in wanted]
    problems += [
        f"{name} has shape {list(np.shape(found[name]))}, expected {list(leaf.shape)}"
        for name, leaf in wanted.items()
        if name in found and np.shape(found[name]) != leaf.shape
    ]
    if problems:
        raise ValueError(f"{source}: {'; '.join(problems)}")


def _copy(name: str, array: Any) -> jax.Array:
    """The array in JAX; a copy, because the owner may go on training its own in place."""
    dtype = array.dtype if isinstance(array, jax.Array) else np.asarray(array).dtype
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"{name} has dtype {dtype}: expected floating point")
    copy = jnp.array(array)
    if copy.dtype != dtype:
        raise ValueError(f"{name} is {dtype}, which JAX would cut to {copy.dtype}: convert it, or set jax_enable_x64")
    return copy


def _by_path(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _name(value: Any) -> str:
    return value.__name__ if callable(value) and hasattr(value, "__name__") else repr(value)
