"""All steps of a nonlinear cell at once: Newton's method for the carries, one linear recurrence an iteration.

The carries solve xₜ = fₜ(xₜ₋₁) for all t. From a guess, with Aₜ the Jacobian of fₜ there,

    rₜ = fₜ(xₜ₋₁) − xₜ,    uₜ = (1 − λ) Aₜ uₜ₋₁ + rₜ,    x ← x + u

and the recurrence of u is linear, so a parallel prefix scan solves it: DEER, Lim et al. 2024, arXiv:2309.12252. With
only the diagonal of A an iteration is cheap and there are more of them: quasi-DEER, Gonzalez et al. 2024,
arXiv:2407.19115. For cells whose A is diagonal that loses nothing: ParaRNN, Danieli et al. 2025, arXiv:2510.21450.

The damping λ follows the residual, as in the method of Levenberg and Marquardt, so that the last iterations converge
quadratically. Where an iteration makes the residual of a row much larger, that row stays as it was, and the next
iteration has λ = 1 there: it follows the steps as they are. (ELK, of the second paper, damps by a Kalman smoother.)

A residual at the level of rounding decides. Where it is not reached in the budget, the same steps are taken one by one
in the same compiled program: a cell that is chaotic, or NaN, costs time and never a wrong result.

Derivatives are those of the solution, by the implicit function theorem, not of the iterations: tangents solve
ẋₜ = Aₜ ẋₜ₋₁ + bₜ and adjoints its transpose, exactly, by the same iterations, check and fall-back. With dense A that is
one parallel scan; with its diagonal there are about as many iterations as for the values.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, carry_shapes
from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.typing import Carry, Checked, Key, Params
from rnn_jax.unroll.fixed_point import NewtonReport, fixed_point, previous
from rnn_jax.unroll.maps import over_time
from rnn_jax.unroll.method import MethodResult
from rnn_jax.unroll.precision import wide
from rnn_jax.unroll.scope import Scope, vary, varying_axes
from rnn_jax.unroll.segments import in_segments
from rnn_jax.unroll.sequential import Sequential
from rnn_jax.unroll.vectors import Inputs, VectorSteps

DENSE_UP_TO = 64
"""Numbers in a row's carry up to which "auto" takes dense Jacobians. For each step of a row they hold n² numbers, and
composing two of them takes n³ products, where a step of a GRU takes 3 n²: from here on that is a hundredfold."""


@dataclasses.dataclass(frozen=True)
class Newton:
    """Options of `unroll(..., method=Newton(...))`; "newton" is the method with these defaults.

    Args:
        max_iterations: before the steps are taken one by one.
        tolerance: of the residual, relative to the largest value of each number of the carry over time; by default 16
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

    def applies(self, cell: Cell) -> bool:
        return "newton" in cell.methods

    def run(
        self,
        cell: Cell,
        params: Params,
        xs: Checked[Any, "T *B D"],
        carry: Carry,
        scope: Scope,
        reverse: bool,
        key: Key | None,
    ) -> MethodResult:
        """One cell, and a `NewtonReport`. Segments of `checkpoint_every` steps are solved in turn."""
        if scope.length == 0:
            steps = Sequential().run(cell, params, xs, carry, scope, reverse, key)
            return steps._replace(report=NewtonReport.none())
        noise = scope.noise(cell, key)
        steps = VectorSteps(cell, key is not None, carry_shapes(cell, ()))
        start, anew = steps.vector(carry, scope.batch_shape), None
        if scope.learned_resets:
            anew = over_time(steps.vector(scope.start(cell, carry), scope.batch_shape), scope.length)
        axes = varying_axes(start)
        params = vary(params, axes)  # a linear solve is not transposed rightly with parameters that do not
        problem = _Problem(self, steps, reverse, start.shape[-1], start.dtype)

        def segment(state: Any, inputs: Any) -> tuple[Any, Any]:
            start, report = state
            xs, *rest = inputs
            z = cell.project(params, xs)
            dtype = jax.eval_shape(lambda z: cell.step(params, carry, jax.tree.map(lambda a: a[0], z)), z)[1].dtype
            inputs = Inputs(wide(z), *rest)
            values, solved = problem.values(*jax.lax.stop_gradient((params, start, inputs)))
            x = _solution(problem, params, start, inputs, values)
            ys = steps(params, previous(start, x, reverse), inputs)[1].astype(dtype)
            return (x[0 if reverse else -1], vary(report.joined(solved), axes)), (ys, x if scope.carries else None)

        state = start, vary(NewtonReport.none(start.dtype), axes)
        inputs = xs, noise, scope.valid, scope.resets, anew
        (last, report), (ys, x) = in_segments(segment, state, inputs, scope.checkpoint_every, reverse)
        last, carries = (
            None if x is None else jax.tree.map(lambda new, old: new.astype(old.dtype), steps.carry(x), carry)
            for x in (last, x)
        )
        return MethodResult(last, ys, report, carries)


@dataclasses.dataclass(frozen=True)
class _Problem:
    """What is to be solved, but for arrays: `size` numbers of `dtype` a row, in the order of steps."""

    options: Newton
    steps: VectorSteps
    reverse: bool
    size: int
    dtype: Any

    def values(self, params: Params, start: jax.Array, inputs: Inputs) -> tuple[jax.Array, NewtonReport]:
        """The carries after all steps, `[T, B, n]`, and how the method fared."""
        jacobian = self.steps.jacobian(params, inputs, self._kind)

        def advance(x: jax.Array, inputs: Inputs) -> jax.Array:
            return self.steps(params, x, inputs)[0]

        damping = self.options.damping
        return fixed_point(advance, jacobian, start, inputs, self.reverse, damping=damping, **self._limits)

    def through_time(self, params: Params, start: jax.Array, inputs: Inputs, x: jax.Array, b: jax.Array) -> jax.Array:
        """The solution of ẋₜ = Aₜ ẋₜ₋₁ + bₜ from zero, with A the derivatives of the steps along the carries `x`."""
        points = (previous(start, x, self.reverse), inputs)
        zero = jnp.zeros_like(start)

        def forward(x_dot: jax.Array, point: Any) -> jax.Array:
            before, inputs = point
            return jax.jvp(lambda x: self.steps(params, x, inputs)[0], (before,), (x_dot,))[1]

        def backward(x_bar: jax.Array, point: Any) -> jax.Array:
            before, inputs = point
            return jax.vjp(lambda x: self.steps(params, x, inputs)[0], before)[1](x_bar)[0]

        def matrices(_: jax.Array) -> jax.Array:
            return self.steps.jacobian(params, inputs, self._kind)(points[0])

        def transposed(_: jax.Array) -> jax.Array:
            return matrices(_).swapaxes(-1, -2) if self._kind == "dense" else matrices(_)

        def residual(x_dot: jax.Array) -> jax.Array:
            return x_dot - forward(previous(zero, x_dot, self.reverse), points)

        def solve(_: Any, b: jax.Array) -> jax.Array:
            def advance(x_dot: jax.Array, inputs: Any) -> jax.Array:
                return forward(x_dot, inputs[0]) + inputs[1]

            return fixed_point(advance, matrices, zero, (points, b), self.reverse, **self._limits)[0]

        def transpose_solve(_: Any, b: jax.Array) -> jax.Array:
            """λₜ = bₜ + μₜ₊₁ with μₜ = Aₜᵀ λₜ: in terms of μ, step t needs nothing of step t + 1 but its μ."""

            def advance(mu: jax.Array, inputs: Any) -> jax.Array:
                return backward(mu + inputs[1], inputs[0])

            mu = fixed_point(advance, transposed, zero, (points, b), not self.reverse, **self._limits)[0]
            return b + previous(zero, mu, not self.reverse)

        return jax.lax.custom_linear_solve(residual, b, solve, transpose_solve)

    @property
    def _kind(self) -> str:
        if self.options.jacobian != "auto":
            return self.options.jacobian
        return "dense" if self.size <= DENSE_UP_TO else "diagonal"

    @property
    def _limits(self) -> dict[str, Any]:
        tolerance = self.options.tolerance
        if tolerance is None:
            tolerance = 16 * float(jnp.finfo(self.dtype).eps)
        return {"max_iterations": self.options.max_iterations, "tolerance": tolerance}


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _solution(problem: _Problem, params: Params, start: jax.Array, inputs: Inputs, values: jax.Array) -> jax.Array:
    """`values`, with the derivatives that the carries have.

    Inside `jax.lax.scan` JAX drops the rule below when it differentiates a gradient once more, and differentiates this
    function instead: so what is added here is zero, but has the right derivative.
    """
    after = problem.steps(params, previous(start, values, problem.reverse), inputs)[0]
    zero = problem.through_time(params, start, inputs, values, after - jax.lax.stop_gradient(after))
    return values + jnp.where(zero == 0, zero, jnp.zeros_like(zero))  # it is NaN where values are not finite


@_solution.defjvp
def _solution_jvp(problem: _Problem, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    params, start, inputs, _ = primals
    x = _solution(problem, *primals)

    def explicit(params: Params, start: jax.Array, inputs: Inputs) -> jax.Array:
        return problem.steps(params, previous(start, x, problem.reverse), inputs)[0]

    b = jax.jvp(explicit, (params, start, inputs), tangents[:3])[1]
    return x, problem.through_time(params, start, inputs, x, b)
