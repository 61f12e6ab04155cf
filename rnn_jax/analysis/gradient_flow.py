"""How gradients travel through time: their norms at every step, Jacobians of steps, Lyapunov exponents.

Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063: the gradient of a loss by the carry is
handed from step to step by products of Jacobians, cₜ being the carry after step t,

    ∂L/∂cₜ₋₁ = (∂cₜ/∂cₜ₋₁)ᵀ ∂L/∂cₜ + (∂yₜ/∂cₜ₋₁)ᵀ ∂L/∂yₜ

and vanishes or explodes where their singular values stay below or above one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.analysis.figures import draws, facets, save_figure, shared_legend
from rnn_jax.analysis.tracing import trace, trace_names
from rnn_jax.cells.base import Cell, carry_shapes
from rnn_jax.checks import check_size
from rnn_jax.nnx import unrolled_by
from rnn_jax.typing import Array, Carry, Params, at_least_float32
from rnn_jax.unroll import Trace, Unrolled
from rnn_jax.unroll.vectors import Inputs, VectorSteps


def gradient_norms(
    cell: Cell, params: Params, xs: Array, loss: Callable[[jax.Array], jax.Array], carry: Carry = None, **options: Any
) -> dict[str, jax.Array]:
    """‖∂L/∂c‖ for the carry c that enters each step: how much the rest of the sequence still tells what came before.

    Args:
        cell: a cell, or a Stack or Bidirectional of them.
        params: its parameters.
        xs: inputs `[T, B, D]`.
        loss: from outputs `[T, B, H]` to a scalar.
        carry: where to start.
        options: all others of `unroll`.

    Returns:
        For each cell, in the order in which they run ("0 LSTM", "1 GRU backward"), norms `[T, B]` over all parts of its
        carry; zero past the lengths.
    """
    return _norms(lambda run: loss(run(cell, params, xs, carry, **options).ys))[0]


def layer_gradient_norms(loss: Callable[[], jax.Array]) -> dict[str, jax.Array]:
    """`gradient_norms` of every cell in the `rnn_jax.nnx.Recurrent` layers that `loss()` calls; `{}` for none.

    A layer that is called in a loop or under `vmap` has norms of the sum over all calls.
    """
    return _norms(_layers_run_by(loss))[0]


def mean_gradient_norms(loss: Callable[[], jax.Array]) -> dict[str, jax.Array]:
    """The means of `layer_gradient_norms` over the rows that a step is a part of: `[T]`, NaN where it is of none."""
    norms, valid = _norms(_layers_run_by(loss), count=True)
    axes = {name: tuple(range(1, found.ndim)) for name, found in norms.items()}
    return {name: found.sum(axes[name]) / valid[name].sum(axes[name]) for name, found in norms.items()}


def until_nan(norms: np.ndarray) -> np.ndarray:
    """Means of `mean_gradient_norms` up to the last step that some row has."""
    return norms[: np.flatnonzero(~np.isnan(norms)).max(initial=-1) + 1]


def step_jacobians(cell: Cell, params: Params, xs: Array, carry: Carry = None) -> jax.Array:
    """∂cₜ/∂cₜ₋₁ of each step along a sequence, `[T, B, n, n]`; n numbers make up the carry of a row.

    Args:
        cell: a cell, or a Stack of them, whose carries count together.
        params: its parameters.
        xs: inputs `[T, B, D]`.
        carry: where to start.

    Raises:
        ValueError: the cell cannot take a single step (a Bidirectional).
    """
    steps, params, z, x = _vector_steps(cell, params, xs, carry)
    _, points = jax.lax.scan(lambda x, z: (steps(params, x, Inputs(z, None, None, None))[0], x), x, z)
    return steps.jacobian(params, Inputs(z, None, None, None), "dense")(points)


def jacobian_products(jacobians: jax.Array, count: int) -> jax.Array:
    """Jₜ₊ₖ₋₁ ⋯ Jₜ, k = count: how a carry depends on the one k steps before; `[T, B, n, n]` to `[T − k + 1, B, n, n]`.

    Raises:
        ValueError: there are not so many steps.
    """
    check_size("count", count)
    if count > len(jacobians):
        raise ValueError(f"count={count}: expected at most {len(jacobians)}, the steps that there are")
    last = len(jacobians) - count + 1
    product = jacobians[:last]
    for i in range(1, count):
        product = jacobians[i : last + i] @ product
    return product


def jacobian_singular_values(
    cell: Cell, params: Params, xs: Array, carry: Carry = None, *, count: int = 1
) -> jax.Array:
    """The singular values, the largest first, of products of `count` step Jacobians: `[T − count + 1, B, n]`.

    Arguments and errors as in `step_jacobians` and `jacobian_products`.
    """
    return jnp.linalg.svd(jacobian_products(step_jacobians(cell, params, xs, carry), count), compute_uv=False)


def lyapunov_exponents(cell: Cell, params: Params, xs: Array, carry: Carry = None, *, warmup: int = 0) -> jax.Array:
    """How fast two ways through a sequence part or meet, in nats a step: n exponents `[B, n]`, the largest first.

    By QR decompositions along the sequence (Benettin et al. 1980; for recurrent networks Engelken, Wolf & Abbott 2023,
    arXiv:2006.02427): QₜRₜ = Jₜ Qₜ₋₁, and the exponents are the means of log |diag Rₜ|.

    Args:
        cell: as in `step_jacobians`.
        params: its parameters.
        xs: inputs `[T, B, D]`.
        carry: where to start.
        warmup: first steps that do not count, in which Q turns the right way.

    Raises:
        ValueError: as `step_jacobians`, or no step counts.
    """
    if not 0 <= warmup < len(xs):
        raise ValueError(f"warmup={warmup}: expected 0 to {len(xs) - 1}, for {len(xs)} steps")
    steps, params, z, x = _vector_steps(cell, params, xs, carry)
    basis = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), (*x.shape, x.shape[-1]))

    def step(state: Any, z: Any) -> tuple[Any, jax.Array]:
        x, basis = state
        inputs = Inputs(z, None, None, None)
        basis, r = jnp.linalg.qr(steps.jacobian(params, inputs, "dense")(x) @ basis)
        growth = jnp.log(jnp.abs(jnp.diagonal(r, axis1=-2, axis2=-1)))
        return (steps(params, x, inputs)[0], basis), growth

    _, growth = jax.lax.scan(step, (x, basis), z)
    return jnp.flip(jnp.sort(growth[warmup:].mean(axis=0), axis=-1), axis=-1)


@draws
def draw_gradient_flow(flows: Mapping[str, Mapping[int, np.ndarray]], file: Path, title: str) -> None:
    """Draw norms against the step, on a logarithmic scale: a panel for each cell, a line for each moment of a training.

    Args:
        flows: cell -> update -> norms `[T]`.
        file: a .png to write.
        title: above the figure.
    """
    from matplotlib import colormaps

    columns = 2 if len(flows) in (2, 4) else 3
    figure, panels = facets(
        len(flows), 2.3, columns=columns, title=title, x="step t", y="norm of dL/dh at step t", sharey=True, sharex=True
    )
    for axes, (name, updates) in zip(panels, flows.items(), strict=True):
        for i, (update, norms) in enumerate(updates.items()):
            colour = colormaps["viridis_r"]((i + 1) / len(updates))
            # Zero is not on a logarithmic scale: steps past the end, or a gradient below the least float.
            shown = np.where(np.asarray(norms) > 0, norms, np.nan)
            axes.semilogy(shown, color=colour, linestyle="-", label=f"after {update} updates")
        axes.set(title=name)
    shared_legend(figure, panels)
    save_figure(figure, file)


def _layers_run_by(loss: Callable[[], jax.Array]) -> Callable[[Callable[..., Unrolled]], jax.Array]:
    """`loss()` as a function of what its layers call in the place of `unroll`."""

    def score(run: Callable[..., Unrolled]) -> jax.Array:
        with unrolled_by(run):
            return loss()

    return score


def _norms(score: Callable[[Callable[..., Unrolled]], jax.Array], count: bool = False) -> tuple[dict, dict]:
    """Norms of the gradient of a score by zeros that are added to each carry; `score` gets what acts as `unroll`.

    With `count` also, for each cell, 1 where a step is a part of its row and 0 in the padding, of the norms' shape.
    """
    traces = []

    def traced(*arguments: Any, **options: Any) -> Unrolled:
        unrolled, new = trace(*arguments, **options)
        traces.extend(new)
        return unrolled

    jax.eval_shape(lambda: score(traced))
    taps = [jax.tree.map(_zeros, one.carries) for one in traces]
    marks = [jnp.zeros(one.ys.shape[: one.leading], jnp.float32) for one in traces]

    def tapped(taps: list[Any], marks: list[jax.Array]) -> jax.Array:
        left, unmarked = iter(taps), iter(marks)

        def run(*arguments: Any, **options: Any) -> Unrolled:
            unrolled, new = trace(*arguments, taps=left, **options)
            return _marked(unrolled, [next(unmarked) for _ in new], [_valid(one) for one in new]) if count else unrolled

        return score(run)

    gradients, calls = jax.grad(tapped, argnums=(0, 1))(taps, marks)
    names = trace_names(traces)
    norms = [_norm(jax.tree.leaves(gradient), one.leading) for one, gradient in zip(traces, gradients, strict=True)]
    return dict(zip(names, norms, strict=True)), {
        n: (c > 0).astype(jnp.float32) for n, c in zip(names, calls, strict=True)
    }


@jax.custom_vjp
def _marked(unrolled: Unrolled, marks: list[jax.Array], valid: list[jax.Array]) -> Unrolled:
    """`unrolled`, whose gradient by `marks` is `valid`: this comes out of loops and maps, where no value does."""
    del marks, valid
    return unrolled


_marked.defvjp(lambda unrolled, marks, valid: (unrolled, valid), lambda valid, gradient: (gradient, valid, None))


def _valid(one: Trace) -> jax.Array:
    shape = one.ys.shape[: one.leading]
    return jnp.broadcast_to(jnp.ones((), bool) if one.valid is None else one.valid, shape).astype(jnp.float32)


def _zeros(leaf: jax.Array) -> jax.Array | None:
    return jnp.zeros(leaf.shape, leaf.dtype) if jnp.issubdtype(leaf.dtype, jnp.inexact) else None


def _norm(leaves: list[jax.Array], leading: int) -> jax.Array:
    """The norm over all dims but the leading ones, by way of the largest, whose square may be no float."""
    flat = jnp.concatenate([jnp.abs(a).astype(jnp.float32).reshape(*a.shape[:leading], -1) for a in leaves], axis=-1)
    largest = flat.max(axis=-1, keepdims=True)
    return (largest * jnp.linalg.norm(flat / jnp.where(largest > 0, largest, 1.0), axis=-1, keepdims=True))[..., 0]


def _vector_steps(cell: Cell, params: Params, xs: Array, carry: Carry) -> tuple[VectorSteps, Params, Any, jax.Array]:
    """The steps on vectors, what they read, and the first vector `[B, n]`."""
    xs = jnp.asarray(xs)
    batch_shape = xs.shape[1 : xs.ndim - len(cell.input_shape)]
    carry = cell.start(params, batch_shape, at_least_float32(xs.dtype)) if carry is None else carry
    steps = VectorSteps(cell, False, carry_shapes(cell, ()))
    params = cell.prepare(params)
    return steps, params, cell.project(params, xs), steps.vector(carry, batch_shape)
