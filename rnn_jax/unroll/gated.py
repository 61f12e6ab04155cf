"""The loop over a `GatedCell`, differentiated so that only what is recurrent stays in the loop.

With rₜ the recurrent product of a step and a dot for a derivative,

    ṙₜ = recur(ċₜ₋₁) + ρₜ,    ρₜ = (∂recur/∂params at cₜ₋₁) · params˙
    ċₜ = ∂gate · (params˙, ċₜ₋₁, żₜ, ṙₜ)

All ρₜ are worked out at once, outside the loop. Transposed for reverse mode, the loop carries the gradient of the carry
alone and gives that of each ρₜ; the gradient of the recurrent weights is then one product over all T·B rows. Kept for
it are the carries and the products: the gates are computed again, which is cheaper than to write and read all that they
leave behind. Since this is a rule for derivatives going forward, forward mode, reverse mode and higher derivatives all
work.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import GatedCell
from rnn_jax.typing import Bool, Carry, Float, Params, at_least_float32
from rnn_jax.unroll.precision import widely
from rnn_jax.unroll.scope import where_rows


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def gated_loop(
    cell: GatedCell,
    reverse: bool,
    params: Params,
    carry: Carry,
    start: Carry,
    z: Any,
    valid: Bool[jax.Array, "T ..."] | None,
    resets: Bool[jax.Array, "T ..."] | None,
) -> tuple[Carry, Float[jax.Array, "T *B H"]]:
    """The final carry and the outputs `[T, B, H]`; `z` is `[T, B, ...]` or `Timed`, the masks as in `Scope`."""

    def body(carry: Carry, inputs: Any) -> tuple[Carry, jax.Array]:
        z, valid, resets = inputs
        after, y = widely(cell.step, params, _restart(resets, start, carry), _joined(z))
        return _stop(valid, after, carry), y

    return jax.lax.scan(body, carry, (_cut(cell, z), valid, resets), reverse=reverse)


@gated_loop.defjvp
def _gated_loop_jvp(cell: GatedCell, reverse: bool, primals: Any, tangents: Any) -> tuple[Any, Any]:
    params, carry, start, z, valid, resets = primals
    params_dot, carry_dot, start_dot, z_dot, _, _ = tangents

    def gate(params: Params, carry: Carry, z: Any, r: Any) -> tuple[Carry, jax.Array]:
        return widely(lambda params, carry, z: cell.gate(params, carry, z, r), params, carry, z)

    def body(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
        z, valid, resets = inputs
        before = _restart(resets, start, carry)
        r = cell.recur(params, before)
        after, y = gate(params, before, _joined(z), r)
        return _stop(valid, after, carry), (before, _cut(cell, r), y)

    cut = _cut(cell, z)
    last, (before, r, ys) = jax.lax.scan(body, carry, (cut, valid, resets), reverse=reverse)
    rho = jax.jvp(lambda params: cell.recur(params, before), (params,), (params_dot,))[1]
    alone = isinstance(z, jax.Array)
    if cell.additive and alone and rho.dtype == at_least_float32(z_dot.dtype):
        rho, z_dot = rho + z_dot.astype(rho.dtype), None  # one array to write in reverse mode, instead of two alike

    one_row = math.prod(rho.shape[1:-1]) == 1
    turn = (lambda params: params) if one_row else _turned
    turned = turn(params)

    # Its nonlinear part is not kept from the loop above but computed again, from z, r and the carry before the step.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def linear_step(dots: Any, point: Any) -> tuple[Carry, jax.Array]:
        params_dot, carry_dot, z_dot, rho = dots
        before, z, r = point[0], _joined(point[1]), _joined(point[2])
        z_dot = jax.tree.map(jnp.zeros_like, z) if z_dot is None else z_dot
        r_dot = rho + jax.jvp(functools.partial(cell.recur, turn(turned)), (before,), (carry_dot,))[1]
        return jax.jvp(gate, (params, before, z, r), (params_dot, carry_dot, z_dot, r_dot))[1]

    def linear_body(carry_dot: Carry, inputs: Any) -> tuple[Carry, jax.Array]:
        point, z_dot, rho, valid, resets = inputs
        after_dot, y_dot = linear_step((params_dot, _restart(resets, start_dot, carry_dot), z_dot, rho), point)
        return _stop(valid, after_dot, carry_dot), y_dot

    inputs = ((before, cut, r), z_dot, rho, valid, resets)
    last_dot, ys_dot = jax.lax.scan(linear_body, carry_dot, inputs, reverse=reverse)
    return (last, ys), (last_dot, ys_dot)


def _cut(cell: GatedCell, a: Any) -> Any:
    """The parts of `a` as arrays of their own, which XLA on CPU reads in the loop several times as fast as slices."""
    if not cell.cut or not isinstance(a, jax.Array):
        return (a,)
    return tuple(jnp.split(a, a.shape[-1] // cell.hidden_size, axis=-1))


def _joined(parts: tuple[Any, ...]) -> Any:
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)


def _turned(params: Params) -> Params:
    """Kernels transposed: turned before the loop, reverse mode's products in it read them along their rows.

    Products with a single row are the exception: XLA on CPU is four times as slow at them then.
    """
    return jax.tree.map(lambda a: jnp.swapaxes(a, 0, 1) if jnp.ndim(a) == 2 else a, params)


def _restart(resets: jax.Array | None, start: Carry, carry: Carry) -> Carry:
    return carry if resets is None else where_rows(resets, start, carry)


def _stop(valid: jax.Array | None, after: Carry, before: Carry) -> Carry:
    return after if valid is None else where_rows(valid, after, before)
