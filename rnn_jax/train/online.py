"""Exact gradients without going back through time: real-time recurrent learning, for cells whose units are apart.

A loss depends on parameters θ by way of each carry Sₜ, whose derivative, the trace, goes forward beside it:

    dSₜ/dθ = (∂Sₜ/∂Sₜ₋₁) dSₜ₋₁/dθ + ∂Sₜ/∂θ,    dL/dθ = Σₜ (∂Lₜ/∂Sₜ) dSₜ/dθ

(Williams & Zipser 1989). In general the trace has a number for every pair of a unit and a parameter, and a step takes
as many products. Where a unit reads its own past alone, by parameters of its own, ∂Sₜ/∂Sₜ₋₁ is diagonal and the trace
has one number for each parameter (and row): it is a recurrence of the cell's own kind. Zucchet et al. 2023,
arXiv:2305.15947, for complex linear units; Irie et al. 2023, arXiv:2305.19044, for gated ones. That is exact for one
layer; the trace of a layer by the parameters of one below it is large again.

A sequence is taken in windows, of one step or of many. Within a window the gradient goes back as usual, and what came
before it enters by the trace at its start: it is the gradient of backpropagation through all of time, to rounding,
whatever the window, in memory that does not grow with time. Without the trace it is truncated backpropagation. Where
parameters are updated between windows, the trace is a mixture of those that there were, as in all online learning.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell, Composite, carry_shapes, param_shapes
from rnn_jax.checks import check_tree, is_shape, leaves_by_name
from rnn_jax.typing import Carry, DType, Params


class OnlineState(NamedTuple):
    """Where a stream is, between two windows."""

    carry: Carry
    trace: Carry
    """dS/dθ: the tree of the carry, `[P, B, N]` for P parameters of each of N units."""


Loss = Callable[..., tuple[jax.Array, Carry]]
"""`loss(params, others, carry, *arguments) -> (value, carry)`: of one window."""


def online_state(cell: Cell, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> OnlineState:
    """The state before the first step: the initial carry, which depends on no parameter.

    Raises:
        ValueError: units of the cell are not apart.
    """
    carry = cell.initial_carry(batch_shape, dtype)
    units, influences = jax.tree.leaves(carry)[0].shape[-1], jax.tree.leaves(_influences(cell))
    sizes = [leaf.size // units for leaf in jax.tree.leaves(param_shapes(cell))]
    count = sum(size for size, acts in zip(sizes, influences, strict=True) if acts)
    return OnlineState(carry, jax.tree.map(lambda leaf: jnp.zeros((count, *leaf.shape), leaf.dtype), carry))


def online_value_and_grad(loss: Loss, cell: Cell) -> Callable[..., tuple[jax.Array, tuple[Params, Any], OnlineState]]:
    """The value of a window's loss, and its gradient through all windows until now.

    Args:
        loss: `loss(params, others, carry, *arguments) -> (value, carry)`: unrolls the cell with `params` from `carry`
            over a window. What the cell reads depends on no parameter; `others` are those of what reads its outputs.
        cell: whose units are apart: each reads its own past alone, by parameters of its own, such as `rnn_jax.LRU`,
            `rnn_jax.MinGRU`, `rnn_jax.RGLRU` or `rnn_jax.IndRNN`.

    Returns:
        A function `(params, others, state, *arguments) -> (value, (gradient by params, by others), state)`; the first
        state is `online_state(cell, batch_shape)`. Gradients of windows add up to that of the sum of losses.

    Raises:
        ValueError: units of the cell are not apart; the message says which are not.
    """
    influences = _influences(cell)

    def of_window(params: Params, others: Any, state: OnlineState, *arguments: Any) -> Any:
        check_tree("params", params, param_shapes(cell))

        def run(params: Params, others: Any, carry: Carry) -> tuple[jax.Array, Carry]:
            return loss(params, others, carry, *arguments)

        within = jax.value_and_grad(run, argnums=(0, 1, 2), has_aux=True)
        (value, carry), (by_params, by_others, by_carry) = within(params, others, state.carry)
        terms = jax.tree.map(lambda bar, trace: jnp.einsum("...n,p...n->pn", bar, trace), by_carry, state.trace)
        before = functools.reduce(jnp.add, jax.tree.leaves(terms))
        by_params = jax.tree.map(jnp.add, by_params, _unpacked(params, influences, before))
        count, units = before.shape

        def forward(p: jax.Array, trace: Carry) -> Carry:
            """The trace after the window by parameter p of each unit."""
            one = _unpacked(params, influences, jnp.broadcast_to((jnp.arange(count) == p)[:, None], (count, units)))
            after = jax.jvp(lambda *start: run(start[0], others, start[1])[1], (params, state.carry), (one, trace))
            return after[1]

        trace = jax.vmap(forward)(jnp.arange(count), state.trace)
        return value, (by_params, by_others), OnlineState(carry, trace)

    return of_window


def _unpacked(params: Params, influences: Any, rows: jax.Array) -> Params:
    """A tree like `params` of what `rows [P, N]` say of each parameter of each unit; zero where no unit has any."""
    leaves, tree = jax.tree.flatten(params)
    found, begin = [], 0
    for leaf, acts in zip(leaves, jax.tree.leaves(influences), strict=True):
        end = begin + acts * (leaf.size // rows.shape[-1])
        found.append(rows[begin:end].reshape(leaf.shape).astype(leaf.dtype) if acts else jnp.zeros_like(leaf))
        begin = end
    return tree.unflatten(found)


@functools.lru_cache(64)
def _influences(cell: Cell) -> Any:
    """For each leaf of the parameters, whether the carry depends on it: found by derivatives at random numbers.

    Raises:
        ValueError: the carry is no vector of units, or a unit reads the past or a parameter of another one.
    """
    wanted = f"cell={cell}: expected one whose units are apart, such as rnn_jax.LRU, MinGRU, RGLRU or IndRNN; "
    shapes = [leaf.shape for leaf in jax.tree.leaves(carry_shapes(cell, ()))]
    if isinstance(cell, Composite) or len(set(shapes)) != 1 or len(shapes[0]) != 1 or not is_shape(cell.input_shape):
        raise ValueError(f"{wanted}its carry is no number for each unit of one cell")
    (units,), random = shapes[0], np.random.default_rng(0)

    def draw(leaf: Any) -> Any:
        return random.normal(size=leaf.shape).astype(leaf.dtype)

    def after(params: Params, carry: Carry, x: Any) -> jax.Array:
        return jnp.stack(jax.tree.leaves(cell(params, carry, x)[0]))

    with jax.ensure_compile_time_eval():
        params = jax.tree.map(lambda leaf: leaf + 0.1 * draw(leaf), jax.jit(cell.init)(jax.random.key(0)))
        carry, x = jax.tree.map(draw, carry_shapes(cell, ())), draw(jax.ShapeDtypeStruct(cell.input_shape, jnp.float32))
        by_params, by_carry = jax.device_get(jax.jit(jax.jacrev(after, argnums=(0, 1)))(params, carry, x))

    def crosses(jacobian: np.ndarray) -> bool:
        """Whether a derivative `[L, N, ..., k N]` has that of a unit by what is another one's."""
        if jacobian.ndim == 2 or jacobian.shape[-1] % units:
            return True
        between = jacobian.reshape(len(jacobian), units, -1, units)
        return bool((between * (1 - np.eye(units)[:, None])).any())

    if any(map(crosses, jax.tree.leaves(by_carry))):
        raise ValueError(f"{wanted}a unit reads the past of another one")
    for name, jacobian in leaves_by_name(by_params).items():
        if jacobian.any() and crosses(jacobian):
            raise ValueError(f"{wanted}a unit reads what another one has of params{name}")
    return jax.tree.map(lambda jacobian: bool(jacobian.any()), by_params)
