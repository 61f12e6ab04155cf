"""The checks of arguments: a ValueError names the argument, its value and what is expected."""

import math
from typing import Any

import jax.numpy as jnp

Number = int | float


def check_size(name: str, value: Any) -> None:
    """Raise a ValueError unless `value` is an int of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}={value!r}: expected an int of at least 1")


def check_rate(name: str, value: Any) -> None:
    """Raise a ValueError unless `value` is a probability below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name}={value!r}: expected a probability, 0 <= {name} < 1")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise a ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name}={value!r}: expected one of {', '.join(map(repr, choices))}")


def check_input(name: str, x: Any, input_shape: tuple[int, ...]) -> None:
    """Raise a ValueError unless `x` is a floating-point array that ends in `input_shape`."""
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise ValueError(f"{name}: expected an array, got {type(x).__name__}; convert it with jnp.asarray")
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise ValueError(
            f"{name} has dtype {x.dtype}: expected floating point; embed tokens, or use {name}.astype(jnp.float32)"
        )
    if tuple(x.shape[x.ndim - len(input_shape) :]) != input_shape or x.ndim < len(input_shape):
        raise ValueError(f"{name} has shape {tuple(x.shape)}: expected [..., {', '.join(map(str, input_shape))}]")


def check_number(
    name: str, value: Any, *, above: Number | None = None, least: Number | None = None, most: Number | None = None
) -> None:
    """Raise a ValueError unless `value` is a finite number > `above`, >= `least` and <= `most`, those given."""
    good = isinstance(value, Number) and not isinstance(value, bool) and math.isfinite(value)
    good = good and (above is None or value > above)
    good = good and (least is None or value >= least) and (most is None or value <= most)
    if not good:
        limits = {"above": above, "at least": least, "at most": most}
        wanted = " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if limit is not None)
        raise ValueError(f"{name}={value!r}: expected a finite number {wanted}".rstrip())


def check_time_steps(dt_min: Any, dt_max: Any) -> None:
    """Raise a ValueError unless 0 < `dt_min` <= `dt_max`: the range that a state space model's time steps start in."""
    check_number("dt_min", dt_min, above=0)
    check_number("dt_max", dt_max, least=dt_min)
