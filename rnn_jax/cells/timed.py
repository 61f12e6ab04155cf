"""The time between steps, for cells to which it means something.

A cell with `timed = True` is given `Timed(xs, dt)` by `unroll(..., dt=dt)`, where it is given `xs` without: `project`
takes both, and hands to `step` what it needs of dt.

    def project(self, params, xs):
        xs, dt = apart(xs)                              # dt `[...]`, the leading dims of xs; None where none is given
        return together(dense(xs, **params["input"]), dt)

    def step(self, params, carry, z):
        z, dt = apart(z)
        hidden = carry * jnp.exp(-duration(dt, z)) + z  # a factor 1.0 where none is given

Without dt every step takes one unit of time.
"""

from typing import Any, NamedTuple

import jax

from rnn_jax.typing import Float


class Timed(NamedTuple):
    """Inputs of a cell, or what it makes of them, and the time that passes before each step."""

    x: Any
    dt: Float[jax.Array, "*B"]


def apart(x: Any) -> tuple[Any, Float[jax.Array, "*B"] | None]:
    """`x` without its dt, and dt, None where it has none."""
    return (x.x, x.dt) if isinstance(x, Timed) else (x, None)


def together(x: Any, dt: Float[jax.Array, "*B"] | None) -> Any:
    """`x` with its dt, as it is where that is None."""
    return x if dt is None else Timed(x, dt)


def duration(dt: Float[jax.Array, "*B"] | None, like: Float[jax.Array, "..."]) -> float | Float[jax.Array, "..."]:
    """A factor for `like`, whose first dims are those of dt: dt in its dtype and with its rank; 1.0 for None."""
    return 1.0 if dt is None else dt.astype(like.dtype).reshape(*dt.shape, *(1,) * (like.ndim - dt.ndim))
