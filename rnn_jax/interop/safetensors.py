"""Params of anything as a safetensors file, which other libraries read too and which runs no code.

    save_safetensors("model.safetensors", params, cell=cell)
    cell, params = load_cell("model.safetensors")
    params = load_safetensors("model.safetensors", like=cell.init(key))

Params are nested dicts of arrays, those of NNX as `nnx.to_pure_dict(nnx.state(model, nnx.Param))`. An array is stored
by its path, the keys joined by dots (`layer_0.input.kernel`), in its dtype. Keys that are whole numbers come back as
text, unless `like` has them as numbers. The extra `interop` installs the package `safetensors`.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax
from rnn_jax import compose
from rnn_jax.cells import CELLS, Cell, describe
from rnn_jax.cells.base import param_shapes
from rnn_jax.interop.entries import check_params
from rnn_jax.interop.files import library, replace_file
from rnn_jax.typing import Params

_TYPES = {
    kind.__name__: kind
    for kind in (*CELLS.values(), *vars(compose).values())
    if isinstance(kind, type) and issubclass(kind, Cell)
}
"""The cells that a description may name: a file cannot ask for anything else."""

_DTYPES = {
    "BOOL": jnp.bool_, "U8": jnp.uint8, "U16": jnp.uint16, "U32": jnp.uint32, "U64": np.uint64, "I8": jnp.int8,
    "I16": jnp.int16, "I32": jnp.int32, "I64": np.int64, "F8_E4M3": jnp.float8_e4m3fn, "F8_E5M2": jnp.float8_e5m2,
    "F16": jnp.float16, "BF16": jnp.bfloat16, "F32": jnp.float32, "F64": np.float64, "C64": jnp.complex64,
}  # fmt: skip
"""By the names of the format."""


def save_safetensors(
    path: str | Path, params: Params, metadata: Mapping[str, str] | None = None, *, cell: Cell | None = None
) -> None:
    """Write params to a file, all of it or nothing.

    Args:
        path: of the file; one that is there is replaced.
        params: nested dicts of arrays.
        metadata: text by names, to be read with `read_metadata`.
        cell: what the params are of; its description goes into the metadata, for `load_cell`.

    Raises:
        ImportError: the package safetensors is not installed.
        ValueError: a key has a dot or is no text or whole number, a leaf is no array, or a group is empty; metadata are
            no text; or `params` are not those of `cell`.
    """
    package = library("safetensors.numpy")
    if not isinstance(params, Mapping):
        raise ValueError(f"params is {type(params).__name__}: expected nested dicts of arrays")
    arrays = dict(_by_path(params))
    facts = {"rnn_jax": rnn_jax.__version__}
    if cell is not None:
        check_params(cell, params)
        facts["cell"] = json.dumps(describe(cell))
    for name, text in (metadata or {}).items():
        if not isinstance(name, str) or not isinstance(text, str) or name in facts:
            raise ValueError(f"metadata[{name!r}]={text!r:.80}: expected text, by another name than {', '.join(facts)}")
    try:
        content = package.save(arrays, metadata={**facts, **(metadata or {})})
    except Exception as error:  # of a dtype that the format has not
        raise ValueError(f"params cannot be written: {error}") from error
    replace_file(path, content)


def load_safetensors(path: str | Path, like: Any = None) -> Params:
    """Read params that `save_safetensors`, or anyone else, wrote.

    Args:
        path: of the file.
        like: nested dicts of arrays or of `jax.ShapeDtypeStruct`, whose keys, shapes and dtypes the params must have;
            or a cell, whose dtypes are free.

    Returns:
        Nested dicts of JAX arrays in the dtypes of the file.

    Raises:
        ImportError: the package safetensors is not installed.
        ValueError: the file is no such file or is damaged, its leaves are not those of `like` (the message names every
            one that differs), or a dtype needs JAX's `jax_enable_x64`.
    """
    named = f"path={str(path)!r}"
    found, _ = _read(path)
    if like is not None:
        shapes, typed = (param_shapes(like), False) if isinstance(like, Cell) else (like, True)
        wanted = dict(_by_path(shapes, "like"))
        problems = [f"{name} {_form(leaf)} is missing" for name, leaf in wanted.items() if name not in found]
        problems += [f"{name} {_form(leaf)} is not in like" for name, leaf in found.items() if name not in wanted]
        problems += [
            f"{name} is {_form(found[name])}, expected {_form(leaf)}"
            for name, leaf in wanted.items()
            if name in found and (found[name].shape != leaf.shape or (typed and found[name].dtype != leaf.dtype))
        ]
        if problems:
            raise ValueError(f"{named}: {'; '.join(problems)}")
        return _like(shapes, found, "", named)
    params: Params = {}
    for name, array in found.items():
        *groups, last = name.split(".")
        inside = params
        for group in groups:
            inside = inside.setdefault(group, {})
            if not isinstance(inside, dict):
                raise ValueError(f"{named}: {name} lies inside another array: give like=")
        if last in inside:
            raise ValueError(f"{named}: {name} is an array and a group: give like=")
        inside[last] = _in_jax(array, name, named)
    return params


def load_cell(path: str | Path) -> tuple[Cell, Params]:
    """Read the cell and the params that `save_safetensors(path, params, cell=cell)` wrote.

    Raises:
        ImportError: the package safetensors is not installed.
        ValueError: the file is no such file or is damaged, it has no description of a cell, or one that is not of this
            library: build that cell yourself, and use `load_safetensors(path, like=cell)`.
    """
    named = f"path={str(path)!r}"
    description = read_metadata(path).get("cell")
    if description is None:
        raise ValueError(f"{named} has no description of a cell: build it, and use load_safetensors(path, like=cell)")
    try:
        cell = _rebuilt(json.loads(description))
        if not isinstance(cell, Cell):
            raise ValueError(f"it says {description:.40}")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{named} describes a cell that cannot be built ({error}): build it, and use "
            "load_safetensors(path, like=cell)"
        ) from error
    return cell, load_safetensors(path, like=cell)


def read_metadata(path: str | Path) -> dict[str, str]:
    """The text by names of a file: what was given, the version of this library and, as JSON, the cell.

    Raises:
        ImportError: the package safetensors is not installed.
        ValueError: the file is no such file or is damaged.
    """
    return _read(path)[1]


def _read(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata of a file."""
    package = library("safetensors")
    if not Path(path).is_file():
        raise ValueError(f"path={str(path)!r}: there is no such file")
    content = Path(path).read_bytes()
    try:
        found = {
            name: np.frombuffer(one["data"], _DTYPES[one["dtype"]]).reshape(one["shape"])
            for name, one in package.deserialize(content)
        }
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except Exception as error:  # a SafetensorError, or a KeyError where JAX has no such dtype
        raise ValueError(f"path={str(path)!r} is not a safetensors file, or is damaged: {error}") from error
    return dict(sorted(found.items())), header.get("__metadata__", {})


def _by_path(tree: Any, argument: str = "params", path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves by their keys, joined by dots."""
    if not isinstance(tree, Mapping):
        if not hasattr(tree, "shape") or not hasattr(tree, "dtype") or jnp.issubdtype(tree.dtype, jax.dtypes.prng_key):
            raise ValueError(
                f"{argument}.{path} has type {type(tree).__name__}: expected nested dicts of arrays, such as "
                "nnx.to_pure_dict(state) gives"
            )
        # The package writes memory as it lies, so that it must lie in order.
        yield path, tree if isinstance(tree, jax.ShapeDtypeStruct) else np.asarray(tree, order="C")
        return
    if not tree and path:
        raise ValueError(f"{argument}.{path} is empty: a file holds arrays alone; leave the group out")
    names = [str(key) for key in tree]
    for key, name in zip(tree, names, strict=True):
        if not isinstance(key, str | int) or not name or "." in name or names.count(name) > 1:
            where = f"{argument}.{path}" if path else argument
            raise ValueError(f"{where} has the key {key!r}: expected text without dots, which tells it from the others")
        yield from _by_path(tree[key], argument, f"{path}.{name}" if path else name)


def _like(shapes: Any, found: Mapping[str, Any], path: str, named: str) -> Any:
    """The leaves of a file in the structure of `shapes`."""
    if not isinstance(shapes, Mapping):
        return _in_jax(found[path], path, named)
    return {key: _like(inside, found, f"{path}.{key}" if path else str(key), named) for key, inside in shapes.items()}


def _in_jax(array: np.ndarray, name: str, named: str) -> jax.Array:
    copy = jnp.asarray(array)
    if copy.dtype != array.dtype:
        raise ValueError(f"{named}: {name} is {array.dtype}, which JAX would cut to {copy.dtype}: set jax_enable_x64")
    return copy


def _form(leaf: Any) -> str:
    return f"{leaf.dtype}{list(leaf.shape)}"


def _rebuilt(description: Any) -> Any:
    """A cell from what `describe` gives."""
    if isinstance(description, list):
        return tuple(map(_rebuilt, description))
    if not isinstance(description, dict):
        return description
    fields = dict(description)
    kind = _TYPES.get(fields.pop("type", ""))
    if kind is None:
        raise ValueError(f"type={description.get('type')!r} is not a cell of rnn_jax")
    return kind(**{name: _rebuilt(value) for name, value in fields.items()})
