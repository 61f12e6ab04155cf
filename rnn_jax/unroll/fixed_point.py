"""Newton's method for xₜ = fₜ(xₜ₋₁), all t at once: linear or not, a cell's carries or their tangents and adjoints."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.typing import Bool, Float, Int
from rnn_jax.unroll.scope import where_rows


class NewtonReport(NamedTuple):
    """How Newton's method fared, over all rows and, in a composite, over all cells.

    Attributes:
        iterations: int, the most that were made.
        residual: the largest max |xₜ − fₜ(xₜ₋₁)| over time, relative to max |xₜ|; infinite where there is NaN.
        converged: bool; where false, steps were taken one by one.
    """

    iterations: Int[jax.Array, ""]
    residual: Float[jax.Array, ""]
    converged: Bool[jax.Array, ""]

    @staticmethod
    def none(dtype: Any = jnp.float32) -> "NewtonReport":
        """The report of no work at all."""
        return NewtonReport(jnp.int32(0), jnp.zeros((), dtype), jnp.array(True))

    def joined(self, other: "NewtonReport") -> "NewtonReport":
        """The report of both."""
        residual = jnp.maximum(self.residual, other.residual.astype(self.residual.dtype))
        iterations = jnp.maximum(self.iterations, other.iterations)
        return NewtonReport(iterations, residual, self.converged & other.converged)


def fixed_point(
    advance: Callable[[jax.Array, Any], jax.Array],
    jacobian: Callable[[jax.Array], jax.Array],
    start: Float[jax.Array, "*B n"],
    inputs: Any,
    reverse: bool,
    max_iterations: int,
    tolerance: float,
    damping: float = 0.0,
) -> tuple[Float[jax.Array, "T *B n"], NewtonReport]:
    """All x `[T, B, n]`; where the residual does not fall below `tolerance`, by taking the steps one by one.

    Args:
        advance: `(x, inputs) -> x` for one step, or with a leading T for all.
        jacobian: of all steps, from what they start at `[T, B, n]`: `[T, B, n, n]`, or diagonals `[T, B, n]`. Whether
            it is exact decides how fast this converges, not where to.
        start: what the first step starts at, `[B, n]`.
        inputs: arrays `[T, ...]`.
        reverse: whether the last step in time is the first one taken.
        max_iterations: before the steps are taken one by one.
        tolerance: of the residual; see `NewtonReport`.
        damping: λ over the residual.
    """
    length = jax.tree.leaves(inputs)[0].shape[0]

    def evaluated(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The next values, and the residual of each row `[B]`."""
        after = advance(previous(start, x, reverse), inputs)
        off, scale = jnp.abs(after - x), jnp.max(jnp.abs(after), axis=0, keepdims=True)
        relative = jnp.where(off == 0, off, off / scale)
        # Comparisons notice NaN, which the maximum of a fused reduction may pass over.
        return after, jnp.max(jnp.where(relative < jnp.inf, relative, jnp.inf), axis=(0, -1))

    def unfinished(state: Any) -> jax.Array:
        _, _, residual, _, iterations = state
        return (iterations < max_iterations) & jnp.any(residual > tolerance) & jnp.all(residual < jnp.inf)

    def iterate(state: Any) -> Any:
        x, after, residual, damped, iterations = state
        matrices = jacobian(previous(start, x, reverse))
        kept = (1 - damped).reshape((1, *damped.shape) + (1,) * (matrices.ndim - 1 - damped.ndim))
        moved = x + _affine(kept * matrices, after - x, reverse)
        moved_after, moved_residual = evaluated(moved)
        good = (moved_residual < 4 * residual) | (damped == 1)
        x, after = where_rows(jnp.broadcast_to(good, (length, *good.shape)), (moved, moved_after), (x, after))
        residual = jnp.where(good, moved_residual, residual)
        damped = jnp.where(good, damping * jnp.minimum(residual, 1), jnp.ones_like(damped))
        return x, after, residual, damped, iterations + 1

    def one_by_one() -> jax.Array:
        def body(x: jax.Array, inputs: Any) -> tuple[jax.Array, jax.Array]:
            x = advance(x, inputs)
            return x, x

        return jax.lax.scan(body, start, inputs, reverse=reverse)[1]

    guess = jnp.broadcast_to(start, (length, *start.shape))
    after, residual = evaluated(guess)
    state = (guess, after, residual, jnp.zeros_like(residual), jnp.int32(0))
    x, _, residual, _, iterations = jax.lax.while_loop(unfinished, iterate, state)
    converged = jnp.all(residual <= tolerance)
    return jax.lax.cond(converged, lambda: x, one_by_one), NewtonReport(
        iterations, jnp.max(residual, initial=0), converged
    )


def previous(
    start: Float[jax.Array, "*B n"], x: Float[jax.Array, "T *B n"], reverse: bool
) -> Float[jax.Array, "T *B n"]:
    """What each step starts at: `start`, then all of `x` but what the last step gave."""
    return jnp.concatenate([x[1:], start[None]]) if reverse else jnp.concatenate([start[None], x[:-1]])


def _affine(matrices: jax.Array, offsets: jax.Array, reverse: bool) -> jax.Array:
    """uₜ = Aₜ uₜ₋₁ + bₜ from zero, for all t at once; A is `[T, B, n, n]` or, for diagonals, `[T, B, n]`."""
    dense = matrices.ndim > offsets.ndim

    def compose(first: Any, second: Any) -> Any:
        (a, b), (next_a, next_b) = first, second
        if dense:
            return next_a @ a, (next_a @ b[..., None])[..., 0] + next_b
        return next_a * a, next_a * b + next_b

    return jax.lax.associative_scan(compose, (matrices, offsets), reverse=reverse)[1]
