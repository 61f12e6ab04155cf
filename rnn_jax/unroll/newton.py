"""All steps of a nonlinear cell at once: Newton's method for the carries, with one linear recurrence an iteration.

The carries solve xₜ = fₜ(xₜ₋₁) for all t. From a guess, with Aₜ the Jacobian of fₜ there,

    rₜ = fₜ(xₜ₋₁) − xₜ,    uₜ = (1 − λ) Aₜ uₜ₋₁ + rₜ,    x ← x + u

and the recurrence of u is linear, so a parallel prefix scan solves it: DEER, Lim et al. 2024, arXiv:2309.12252. With
only the diagonal of A an iteration is cheap and there are more of them: quasi-DEER, Gonzalez et al. 2024,
arXiv:2407.19115; ParaRNN, Danieli et al. 2025, arXiv:2510.21450, makes cells for which that loses nothing.

The damping λ follows the residual, as in the method of Levenberg and Marquardt, so that the last iterations converge
quadratically; a step that makes the residual of a row much larger is not taken, and the next one has λ = 1, which
follows the steps as they are. (ELK, of the second paper, damps by a Kalman smoother instead, which costs more.)

A residual at the level of rounding decides. Where it is not reached in the budget, the same steps are taken one by one,
in the same compiled program: chaotic cells, for which no method gains (Gonzalez et al. 2025, arXiv:2508.16817), cost
time and never a wrong result.

The derivative is that of the solution, by the implicit function theorem, not of the iterations: tangents and adjoints
solve ẋₜ = Aₜ ẋₜ₋₁ + bₜ and its transpose, by the same iteration, check and fall-back. A dense A does it in one.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, check_choice, check_rate, check_size, widened
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll.scope import Scope, where_rows
from rnn_jax.unroll.segments import in_segments
from rnn_jax.unroll.vectors import Inputs, VectorSteps

DENSE_UP_TO = 64
"""Numbers in a row's carry up to which "auto" takes dense Jacobians: 64² numbers a step are still few gates' worth of
memory, and composing two of them costs 16 times a step of a GRU of that size; both grow with the cube from there."""


class NewtonReport(NamedTuple):
    """How Newton's method fared, over all rows and, in a composite, over all cells.

    Attributes:
        iterations: int, the most that were needed.
        residual: the largest max |xₜ − fₜ(xₜ₋₁)| relative to max |xₜ| over time; infinite for NaN.
        converged: bool; where false, some steps were taken one by one.
    """

    iterations: jax.Array
    residual: jax.Array
    converged: jax.Array

    @staticmethod
    def none(dtype: Any) -> "NewtonReport":
        """The report of no work at all."""
        return NewtonReport(jnp.int32(0), jnp.zeros((), dtype), jnp.array(True))

    def joined(self, other: "NewtonReport") -> "NewtonReport":
        """The report of both."""
        return NewtonReport(
            jnp.maximum(self.iterations, other.iterations),
            jnp.maximum(self.residual, other.residual.astype(self.residual.dtype)),
            self.converged & other.converged,
        )


@dataclasses.dataclass(frozen=True)
class Newton:
    """Options of `unroll(..., method=Newton(...))`; "newton" is the method with these defaults.

    Args:
        max_iterations: before the steps are taken one by one.
        tolerance: of the residual, relative to the largest value of each number of the carry over time; by default 64
            times the rounding error of the carry's dtype (float32 at least).
        jacobian: "dense", "diagonal", or "auto": dense for carries of at most `DENSE_UP_TO` numbers a row.
        damping: λ over the relative residual, where that is below 1; 0 is Newton's method as it stands.

    Raises:
        ValueError: an option is out of range.
    """

    max_iterations: int = 30
    tolerance: float | None = None
    jacobian: str = "auto"
    damping: float = 0.1

    def __post_init__(self):
        check_size("max_iterations", self.max_iterations)
        check_choice("jacobian", self.jacobian, ("auto", "dense", "diagonal"))
        check_rate("damping", self.damping)
        if self.tolerance is not None and not self.tolerance > 0:
            raise ValueError(f"tolerance={self.tolerance!r}: expected a relative residual above 0, or None")

    def __call__(self, *arguments: Any) -> tuple[Carry, jax.Array]:
        """The final carry and the outputs `[T, B, H]` of one cell; the arguments are those of `solve`."""
        return self.solve(*arguments)[:2]

    def solve(
        self,
        cell: Cell,
        params: Params,
        xs: jax.Array,
        carry: Carry,
        scope: Scope,
        reverse: bool,
        key: jax.Array | None,
    ) -> tuple[Carry, jax.Array, NewtonReport]:
        """The final carry, the outputs and the report. Segments of `checkpoint_every` steps are solved in turn."""
        noise = None if key is None else cell.noise(key, xs.shape[0], scope.batch_shape)
        row = jax.eval_shape(lambda: cell.initial_carry((), xs.dtype))
        steps = VectorSteps(cell, key is not None, row)
        start = steps.vector(carry, scope.batch_shape)

        def segment(state: Any, inputs: Any) -> tuple[Any, jax.Array]:
            start, report = state
            xs, *rest = inputs
            inputs = Inputs(jax.tree.map(widened, cell.project(params, xs)), *rest)
            guess, found = jax.lax.stop_gradient(_values(self, steps, reverse, params, start, inputs))
            x = _solution(self, steps, reverse, params, start, inputs, guess)
            ys = steps(params, _previous(start, x, reverse), inputs)[1]
            return (x[0 if reverse else -1], report.joined(found)), ys.astype(xs.dtype)

        state = (start, NewtonReport.none(start.dtype))
        if xs.shape[0] == 0:
            ys = jnp.zeros((0, *jax.eval_shape(cell, params, carry, xs)[1].shape[1:]), xs.dtype)
        else:
            state, ys = in_segments(
                segment, state, (xs, noise, scope.valid, scope.resets), scope.checkpoint_every, reverse
            )
        last = jax.tree.map(lambda new, old: new.astype(old.dtype), steps.carry(state[0]), carry)
        return last, ys, state[1]


Advance = Callable[[jax.Array, Any], jax.Array]


def _values(
    options: Newton, steps: VectorSteps, reverse: bool, params: Params, start: jax.Array, inputs: Inputs
) -> tuple[jax.Array, NewtonReport]:
    """The carries after all steps, `[T, B, n]`, without derivatives."""
    params, start, inputs = jax.lax.stop_gradient((params, start, inputs))
    jacobian = steps.jacobian(params, inputs, _kind(options, start))
    return _fixed_point(
        options, lambda x, inputs: steps(params, x, inputs)[0], jacobian, start, inputs, _cuts(inputs), reverse
    )


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _solution(
    options: Newton,
    steps: VectorSteps,
    reverse: bool,
    params: Params,
    start: jax.Array,
    inputs: Inputs,
    values: jax.Array,
) -> jax.Array:
    """`values`, with the derivatives that the carries have.

    Inside `jax.lax.scan` JAX drops the rule below when it differentiates a gradient once more, and differentiates this
    function instead. So what is added here is zero and has the right derivative.
    """
    after = steps(params, _previous(start, values, reverse), inputs)[0]
    zero = after - jax.lax.stop_gradient(after)
    zero = _through_time(options, steps, reverse, params, start, inputs, values, zero)
    return values + jnp.where(zero == 0, zero, jnp.zeros_like(zero))  # where values are infinite, this is NaN


@_solution.defjvp
def _solution_jvp(options: Newton, steps: VectorSteps, reverse: bool, primals: Any, tangents: Any) -> Any:
    params, start, inputs, _ = primals
    x = _solution(options, steps, reverse, *primals)

    def explicit(params: Params, start: jax.Array, inputs: Inputs) -> jax.Array:
        return steps(params, _previous(start, x, reverse), inputs)[0]

    b = jax.jvp(explicit, (params, start, inputs), tangents[:3])[1]
    return x, _through_time(options, steps, reverse, params, start, inputs, x, b)


def _through_time(
    options: Newton,
    steps: VectorSteps,
    reverse: bool,
    params: Params,
    start: jax.Array,
    inputs: Inputs,
    x: jax.Array,
    b: jax.Array,
) -> jax.Array:
    """The solution of ẋₜ = Aₜ ẋₜ₋₁ + bₜ from zero, with A the derivatives of the steps along the carries `x`."""
    before, cuts, nothing = _previous(start, x, reverse), _cuts(inputs), jnp.zeros_like(start)
    options = dataclasses.replace(options, damping=0.0)

    def forward(x_dot: jax.Array, point: Any) -> jax.Array:
        before, inputs = point
        return jax.jvp(lambda x: steps(params, x, inputs)[0], (before,), (x_dot,))[1]

    def backward(x_bar: jax.Array, point: Any) -> jax.Array:
        before, inputs = point
        return jax.vjp(lambda x: steps(params, x, inputs)[0], before)[1](x_bar)[0]

    def residual(x_dot: jax.Array) -> jax.Array:
        return x_dot - forward(_previous(nothing, x_dot, reverse), (before, inputs))

    def matrices() -> jax.Array:
        return steps.jacobian(params, inputs, _kind(options, start))(before)

    def solve(_: Any, b: jax.Array) -> jax.Array:
        def advance(x_dot: jax.Array, inputs: Any) -> jax.Array:
            point, b = inputs
            return forward(x_dot, point) + b

        return _fixed_point(options, advance, lambda _: matrices(), nothing, ((before, inputs), b), cuts, reverse)[0]

    def transpose_solve(_: Any, b: jax.Array) -> jax.Array:
        """λₜ = bₜ + Aₜ₊₁ᵀ λₜ₊₁, by way of Aₜᵀ λₜ, so that step t needs nothing of step t + 1."""

        def advance(x_bar: jax.Array, inputs: Any) -> jax.Array:
            point, b = inputs
            return backward(x_bar + b, point)

        def transposed(_: jax.Array) -> jax.Array:
            a = matrices()
            return a.swapaxes(-1, -2) if a.ndim > b.ndim else a

        inner = ((before, inputs), b)
        x_bar = _fixed_point(options, advance, transposed, nothing, inner, cuts, not reverse)[0]
        return b + _previous(nothing, x_bar, not reverse)

    return jax.lax.custom_linear_solve(residual, b, solve, transpose_solve)


def _fixed_point(
    options: Newton,
    advance: Advance,
    jacobian: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    inputs: Any,
    cuts: jax.Array | None,
    reverse: bool,
) -> tuple[jax.Array, NewtonReport]:
    """xₜ = advance(xₜ₋₁, inputsₜ) from `start [B, n]` for all t; where `cuts` are true, it does not depend on xₜ₋₁."""
    tolerance = 64 * jnp.finfo(start.dtype).eps if options.tolerance is None else options.tolerance
    length = jax.tree.leaves(inputs)[0].shape[0]
    guess = jnp.broadcast_to(start[None], (length, *start.shape))

    def evaluated(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The next values, and the relative residual of each row `[B]`."""
        after = advance(_previous(start, x, reverse), inputs)
        scale = jnp.max(jnp.abs(after), axis=0, keepdims=True)
        off = jnp.abs(after - x)
        relative = jnp.where(off == 0, off, off / scale)
        # Reductions on CPU may pass over NaN, comparisons do not.
        return after, jnp.max(jnp.where(relative < jnp.inf, relative, jnp.inf), axis=(0, -1))

    def unfinished(state: Any) -> jax.Array:
        _, _, error, _, count = state
        return (count < options.max_iterations) & jnp.any(error > tolerance) & jnp.all(error < jnp.inf)

    def iterate(state: Any) -> Any:
        x, after, error, damping, count = state
        matrices = jacobian(_previous(start, x, reverse))
        kept = (1 - damping).reshape((1, *damping.shape) + (1,) * (matrices.ndim - 1 - damping.ndim))
        moved = x + _affine(kept * matrices, after - x, cuts, reverse)
        moved_after, moved_error = evaluated(moved)
        good = (moved_error < 4 * error) | (damping == 1)
        over_time = jnp.broadcast_to(good[None], (length, *good.shape))
        x, after = where_rows(over_time, (moved, moved_after), (x, after))
        error = jnp.where(good, moved_error, error)
        damping = jnp.where(good, options.damping * jnp.minimum(error, 1), jnp.ones_like(error))
        return x, after, error, damping, count + 1

    after, error = evaluated(guess)
    state = (guess, after, error, jnp.zeros_like(error), jnp.int32(0))
    x, _, error, _, count = jax.lax.while_loop(unfinished, iterate, state)
    converged = jnp.all(error <= tolerance)

    def one_by_one() -> jax.Array:
        def body(x: jax.Array, inputs: Any) -> tuple[jax.Array, jax.Array]:
            x = advance(x, inputs)
            return x, x

        return jax.lax.scan(body, start, inputs, reverse=reverse)[1]

    return jax.lax.cond(converged, lambda: x, one_by_one), NewtonReport(count, jnp.max(error), converged)


def _affine(matrices: jax.Array, offsets: jax.Array, cuts: jax.Array | None, reverse: bool) -> jax.Array:
    """uₜ = Aₜ uₜ₋₁ + bₜ from zero, for all t at once; A is `[T, B, n, n]` or, for diagonals, `[T, B, n]`."""

    def apply(a: jax.Array, b: jax.Array) -> jax.Array:
        return a @ b if matrices.ndim > offsets.ndim else a * b

    def compose(first: Any, second: Any) -> Any:
        (a, b), (matrix, offset, *cut) = first[:2], second
        if cut:  # selected away, so that no NaN from before a reset comes through a product with zero
            a, b = where_rows(cut[0], (jnp.zeros_like(a), jnp.zeros_like(b)), (a, b))
        after = apply(matrix, b[..., None])[..., 0] if matrix.ndim > b.ndim else apply(matrix, b)
        return apply(matrix, a), after + offset, *(first[2] | c for c in cut)

    elements = (matrices, offsets) if cuts is None else (matrices, offsets, cuts)
    return jax.lax.associative_scan(compose, elements, reverse=reverse)[1]


def _previous(start: jax.Array, x: jax.Array, reverse: bool) -> jax.Array:
    """What each step starts from: `start`, then all of `x` but what the last step gave."""
    return jnp.concatenate([x[1:], start[None]]) if reverse else jnp.concatenate([start[None], x[:-1]])


def _cuts(inputs: Inputs) -> jax.Array | None:
    """Where a step starts anew."""
    return inputs.resets if inputs.valid is None or inputs.resets is None else inputs.resets & inputs.valid


def _kind(options: Newton, start: jax.Array) -> str:
    """Which Jacobian for carries of this size."""
    if options.jacobian != "auto":
        return options.jacobian
    return "dense" if start.shape[-1] <= DENSE_UP_TO else "diagonal"
