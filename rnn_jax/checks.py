"""The checks of arguments: a ValueError names the argument, its value and what is expected."""

import contextlib
import contextvars
import difflib
import math
import numbers
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Number = int | float

_PYTHON: Sequence[str] = ("what is written in Python",)  # has been consented to by whoever wrote it
_consent = contextvars.ContextVar[Sequence[str] | None]("consent", default=_PYTHON)


@contextlib.contextmanager
def consenting_to(words: Sequence[str] | None) -> Iterator[None]:
    """Inside, `check_trusted` lets through what these words of a command line name; None: everything.

    A program that reads files of others says so: a directory of a run is data, and no reason to run code.
    """
    token = _consent.set(words)
    try:
        yield
    finally:
        _consent.reset(token)


@contextlib.contextmanager
def reading_a_file() -> Iterator[None]:
    """Inside, `check_trusted` lets nothing through where no command line has said what it may."""
    with consenting_to(() if _consent.get() is _PYTHON else _consent.get()):
        yield


def check_trusted(name: str, value: str, module: str) -> None:
    """Raise a ValueError if to use `value` is to import a module that only a file asks for; see `consenting_to`."""
    words = _consent.get()
    if (
        words is None
        or words is _PYTHON
        or module in sys.modules
        or any(value in re.split(r"[=,(]", word) for word in words)
    ):
        return
    raise ValueError(
        f"{name}={value!r} is asked for by a file, and would import {module}, which can do anything that you can: "
        "look at it, and give --trust (in Python trust=True) if you know who wrote it"
    )


def check_size(name: str, value: Any) -> None:
    """Raise a ValueError unless `value` is an int of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name}={value!r}: expected an int of at least 1")


def check_divisor(name: str, value: Any, hidden_size: int) -> None:
    """Raise a ValueError unless `value` is an int of at least 1 that divides `hidden_size`."""
    check_size(name, value)
    if hidden_size % value:
        raise ValueError(f"{name}={value}: expected a divisor of hidden_size={hidden_size}")


def check_rate(name: str, value: Any) -> None:
    """Raise a ValueError unless `value` is a probability below 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= float(value) < 1:
        raise ValueError(f"{name}={value!r}: expected a probability, 0 <= {name} < 1")


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Raise a ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name}={value!r}: {nearest(value, choices)}expected one of {', '.join(map(repr, choices))}")


def nearest(name: Any, names: Iterable[str], cutoff: float = 0.6) -> str:
    """For a message about a name that is none of `names`: which of them may be meant; empty if none is like it.

    Case and the difference of `-`, `_` and a blank do not count. The message goes on behind it.

    Args:
        name: that was given; what is no str is like none.
        names: that there are.
        cutoff: how like it must be, from 0 to 1.
    """
    plain = {_folded(one): one for one in names}
    found = difflib.get_close_matches(_folded(name), plain, n=1, cutoff=cutoff) if isinstance(name, str) else []
    return f"did you mean {plain[found[0]]!r}? " if found else ""


def _folded(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")


def check_input(name: str, x: Any, input_shape: Any) -> tuple[int, ...]:
    """Check what a cell reads: a floating-point array that ends in `input_shape`, or a tree of arrays as it declares.

    Args:
        name: of the argument.
        x: the array or, where `input_shape` is a tree of shapes, a tree of arrays of any dtype, alike in leading dims.
        input_shape: `Cell.input_shape`.

    Returns:
        The leading dims.

    Raises:
        ValueError: it is something else.
    """
    if is_shape(input_shape):
        if hasattr(x, "dtype") and not jnp.issubdtype(x.dtype, jnp.floating):
            remedy = f"embed tokens, or use {name}.astype(jnp.float32)"
            if jnp.issubdtype(x.dtype, jnp.complexfloating):
                remedy = f"give both parts as features: jnp.concatenate([{name}.real, {name}.imag], axis=-1)"
            raise ValueError(f"{name} has dtype {x.dtype}: expected floating point; {remedy}")
        return _leading(name, x, input_shape)
    wanted = jax.tree.structure(input_shape, is_leaf=is_shape)
    if jax.tree.structure(x) != wanted:
        raise ValueError(f"{name} is {jax.tree.structure(x)}: expected {wanted}, as the cell declares its inputs")
    shapes = jax.tree_util.tree_leaves_with_path(input_shape, is_leaf=is_shape)
    leading = {
        f"{name}{jax.tree_util.keystr(path)}": _leading(f"{name}{jax.tree_util.keystr(path)}", leaf, shape)
        for (path, shape), leaf in zip(shapes, jax.tree.leaves(x), strict=True)
    }
    if len(set(leading.values())) > 1:
        raise ValueError(f"{name} has leading dims {leading}: expected the same of all")
    return next(iter(leading.values()), ())


def is_shape(value: Any) -> bool:
    """Whether a value is the shape of one array, no tree of shapes."""
    return type(value) is tuple and all(isinstance(size, numbers.Integral) for size in value)


def _leading(name: str, x: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise ValueError(f"{name}: expected an array, got {type(x).__name__}; convert it with jnp.asarray")
    if tuple(x.shape[x.ndim - len(shape) :]) != shape or x.ndim < len(shape):
        raise ValueError(f"{name} has shape {tuple(x.shape)}: expected [..., {', '.join(map(str, shape))}]")
    return tuple(x.shape[: x.ndim - len(shape)])


def check_tree(name: str, tree: Any, expected: Any, remedy: str = "") -> None:
    """Raise a ValueError unless the leaves of `tree` have the names and shapes of `expected`; dtypes are free.

    Args:
        name: of the argument.
        tree: of arrays.
        expected: of arrays or of their shapes, as `jax.eval_shape` gives them.
        remedy: ends the message about a shape.
    """
    given, wanted = leaves_by_name(tree), leaves_by_name(expected)
    for path in wanted.keys() - given.keys():
        raise ValueError(f"{name}{path} is missing: expected an array {list(wanted[path].shape)}")
    for path in given.keys() - wanted.keys():
        raise ValueError(f"{name}{path} is not part of this cell: expected {', '.join(wanted) or 'nothing'}")
    for path, leaf in wanted.items():
        if np.shape(given[path]) != leaf.shape:
            raise ValueError(f"{name}{path} has shape {np.shape(given[path])}: expected {leaf.shape}{remedy}")


def check_carry(carry: Any, expected: Any, remedy: str = "") -> None:
    """Raise a ValueError unless `carry` has the leaves of `expected`, floating-point where these are.

    Args:
        carry: of arrays.
        expected: of their shapes.
        remedy: ends the message about a shape.
    """
    check_tree("carry", carry, expected, remedy)
    given = leaves_by_name(carry)
    for path, leaf in leaves_by_name(expected).items():
        kind = jnp.issubdtype(leaf.dtype, jnp.floating)
        if jnp.issubdtype(jnp.result_type(given[path]), jnp.floating) != kind:
            wanted = "floating point" if kind else str(leaf.dtype)
            raise ValueError(f"carry{path} has dtype {jnp.result_type(given[path])}: expected {wanted}")


def leaves_by_name(tree: Any) -> Mapping[str, Any]:
    """The leaves of a tree by their paths."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def check_number(
    name: str, value: Any, *, above: Number | None = None, least: Number | None = None, most: Number | None = None
) -> None:
    """Raise a ValueError unless `value` is a finite number > `above`, >= `least` and <= `most`, those given."""
    good = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    good = good and (above is None or float(value) > above)
    good = good and (least is None or float(value) >= least) and (most is None or float(value) <= most)
    if not good:
        limits = {"above": above, "at least": least, "at most": most}
        wanted = " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if limit is not None)
        raise ValueError(f"{name}={value!r}: expected a finite number {wanted}".rstrip())


def check_dt(dt: Any, leading: tuple[int, ...], taken: Any = None) -> None:
    """Raise a ValueError unless `dt` is the time before each step: positive, in the leading dims of the inputs.

    Args:
        dt: an array; numbers that are not known yet are not looked at.
        leading: the dims that it must have.
        taken: bool, the same dims: where false a step is left out, and dt may be anything. None is nowhere. Where it
            is not known yet, neither are the numbers that count.
    """
    if not hasattr(dt, "dtype"):
        raise ValueError(f"dt={dt!r}: expected an array with the leading dims of the inputs, {list(leading)}")
    shape, dtype = np.shape(dt), jnp.result_type(dt)
    if shape != leading or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(
            f"dt is {dtype}{list(shape)}: expected floating point {list(leading)}, the leading dims of the inputs"
        )
    if isinstance(dt, jax.core.Tracer) or isinstance(taken, jax.core.Tracer):
        return
    values = np.asarray(dt, np.float64)
    values = values if taken is None else values[np.asarray(taken)]
    wrong = values[~((values > 0) & (values < np.inf))]
    if wrong.size:
        raise ValueError(f"dt has {wrong.ravel()[:5].tolist()}: expected finite numbers above 0, the time of each step")


def check_time_steps(dt_min: Any, dt_max: Any) -> None:
    """Raise a ValueError unless 0 < `dt_min` <= `dt_max`: the range that a state space model's time steps start in."""
    check_number("dt_min", dt_min, above=0)
    check_number("dt_max", dt_max, least=dt_min)
