"""Long short-term memory whose gates also see what the gates were one step before.

    iₜ = σ(Wᵢᵀ xₜ + bᵢ + Uᵢᵀ hₜ₋₁ + Rᵢᵀ sₜ₋₁ + pᵢ ⊙ cₜ₋₁)        gₜ = tanh(W_gᵀ xₜ + b_g + U_gᵀ hₜ₋₁)
    fₜ = σ(W_fᵀ xₜ + b_f + U_fᵀ hₜ₋₁ + R_fᵀ sₜ₋₁ + p_f ⊙ cₜ₋₁)     cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
    oₜ = σ(Wₒᵀ xₜ + bₒ + Uₒᵀ hₜ₋₁ + Rₒᵀ sₜ₋₁ + pₒ ⊙ cₜ)           hₜ = oₜ ⊙ tanh(cₜ),    yₜ = hₜ
    sₜ = (iₜ, fₜ, oₜ)

Full gate recurrence (FGR) in Greff et al. 2017, arXiv:1503.04069, section 3, as in the first LSTM of Hochreiter &
Schmidhuber 1997. The peepholes p are an option here. Gates stand side by side in the order i, f, g, o, as in `LSTM`;
those of s in the order i, f, o.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import Cell, along_last, dense, sigmoid
from rnn_jax.cells.gated.lstm_papers import GREFF_2017, HOCHREITER_1997
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Projected


class FullGateCarry(NamedTuple):
    """hₜ and cₜ, each `[B, H]`, and sₜ `[B, 3 H]`."""

    hidden: Hidden
    cell: Hidden
    gates: Float[jax.Array, "*B 3*H"]


@dataclasses.dataclass(frozen=True)
class FullGateLSTM(Cell):
    """LSTM with full gate recurrence; equations and sources at the top of this file.

    Carry: `FullGateCarry(hidden [B, H], cell [B, H], gates [B, 3 H])`.
    Params: `input.kernel [D, 4 H]`, `input.bias [4 H]`, `recurrent.kernel [H, 4 H]`, `gates.kernel [3 H, 3 H]`; with
    peepholes `peephole.{i, f, o} [H]`.
    Parameters: 4 (D + H + 1) H + 9 H².

    Args:
        input_size: D.
        hidden_size: H.
        forget_bias: what the forget gate's bias starts as.
        peepholes: whether the gates see the cell state; their weights start at zero.
    """

    input_size: int
    hidden_size: int
    forget_bias: float = dataclasses.field(default=1.0, kw_only=True)
    peepholes: bool = dataclasses.field(default=False, kw_only=True)
    papers = (GREFF_2017, HOCHREITER_1997)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        size = self.hidden_size
        params = initializers.gated_kernels(key, self.input_size, size, 4, param_dtype)
        params["input"]["bias"] = initializers.gate_bias((0.0, self.forget_bias, 0.0, 0.0), size, param_dtype)
        rows = jax.random.split(jax.random.fold_in(key, 1), 3)
        blocks = [initializers.per_gate(initializers.orthogonal, k, (size, size), 3, param_dtype) for k in rows]
        # From each gate to each gate; their sum is as large as that of one orthogonal kernel.
        params["gates"] = {"kernel": jnp.concatenate(blocks) / jnp.asarray(3**0.5, param_dtype)}
        if self.peepholes:
            params["peephole"] = {gate: jnp.zeros(size, param_dtype) for gate in "ifo"}
        return params

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> FullGateCarry:
        sizes = (self.hidden_size, self.hidden_size, 3 * self.hidden_size)
        return FullGateCarry(*(jnp.zeros((*batch_shape, size), dtype) for size in sizes))

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, **params["input"])

    def step(self, params: Params, carry: FullGateCarry, z: Projected) -> tuple[FullGateCarry, Output]:
        a_i, a_f, a_g, a_o = jnp.split(z + dense(carry.hidden, params["recurrent"]["kernel"]).astype(z.dtype), 4, -1)
        r_i, r_f, r_o = jnp.split(dense(carry.gates, params["gates"]["kernel"]).astype(z.dtype), 3, -1)

        def seen(gate: str, cell: jax.Array) -> jax.Array | float:
            return along_last(params["peephole"][gate], z) * cell.astype(z.dtype) if "peephole" in params else 0.0

        i = sigmoid(a_i + r_i + seen("i", carry.cell))
        f = sigmoid(a_f + r_f + seen("f", carry.cell))
        cell = f.astype(carry.cell.dtype) * carry.cell + (i * jnp.tanh(a_g)).astype(carry.cell.dtype)
        o = sigmoid(a_o + r_o + seen("o", cell))
        y = o * jnp.tanh(cell.astype(z.dtype))
        gates = jnp.concatenate([i, f, o], axis=-1).astype(carry.gates.dtype)
        return FullGateCarry(y.astype(carry.hidden.dtype), cell, gates), y

    def output(self, carry: FullGateCarry) -> Output:
        return carry.hidden
