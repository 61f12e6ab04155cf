"""Long short-term memory: a cell state behind an input, a forget and an output gate.

    iₜ = σ(Wᵢᵀ xₜ + bᵢ + Uᵢᵀ hₜ₋₁)        gₜ = tanh(W_gᵀ xₜ + b_g + U_gᵀ hₜ₋₁)
    fₜ = σ(W_fᵀ xₜ + b_f + U_fᵀ hₜ₋₁)      cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
    oₜ = σ(Wₒᵀ xₜ + bₒ + Uₒᵀ hₜ₋₁)        hₜ = oₜ ⊙ tanh(cₜ),    yₜ = hₜ

Hochreiter & Schmidhuber 1997, Neural Computation 9(8); forget gate: Gers, Schmidhuber & Cummins 2000, Neural
Computation 12(10). b_f starts at one, so that the cell remembers before it has learned to: Jozefowicz, Zaremba &
Sutskever 2015, section 4.

Gates stand side by side in the order i, f, g, o, as in PyTorch. Parameters: 4 (D + H + 1) H. One bias instead of
PyTorch's two, which only ever appear as their sum.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, dense, sigmoid
from rnn_jax.typing import Array, DType, Params


class LSTMCarry(NamedTuple):
    """hₜ and cₜ, each `[B, H]`, in PyTorch's order."""

    hidden: jax.Array
    cell: jax.Array


def lstm_gate(carry: LSTMCarry, z: jax.Array, r: jax.Array) -> tuple[LSTMCarry, jax.Array]:
    """(hₜ, cₜ) and yₜ from the projected input `z` and the recurrent product `r`, both `[..., 4 H]`."""
    i, f, g, o = jnp.split(z + r.astype(z.dtype), 4, axis=-1)
    update = sigmoid(i) * jnp.tanh(g)
    cell = sigmoid(f).astype(carry.cell.dtype) * carry.cell + update.astype(carry.cell.dtype)
    y = sigmoid(o) * jnp.tanh(cell.astype(z.dtype))
    return LSTMCarry(y.astype(carry.hidden.dtype), cell), y


@dataclasses.dataclass(frozen=True)
class LSTM(GatedCell):
    """Long short-term memory; equations and sources at the top of this file.

    Carry: `LSTMCarry(hidden [B, H], cell [B, H])`.
    Params: `input.kernel [D, 4 H]`, `input.bias [4 H]`, `recurrent.kernel [H, 4 H]`.

    Args:
        input_size: D.
        hidden_size: H.
        forget_bias: what the forget gate's bias starts as.
        bias: whether there is a bias.
    """

    input_size: int
    hidden_size: int
    forget_bias: float = dataclasses.field(default=1.0, kw_only=True)
    bias: bool = dataclasses.field(default=True, kw_only=True)

    def init(self, key: jax.Array, param_dtype: DType = jnp.float32) -> Params:
        params = initializers.gated_kernels(key, self.input_size, self.hidden_size, 4, param_dtype)
        if self.bias:
            starts = (0.0, self.forget_bias, 0.0, 0.0)
            params["input"]["bias"] = initializers.gate_bias(starts, self.hidden_size, param_dtype)
        return params

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> LSTMCarry:
        zeros = jnp.zeros((*batch_shape, self.hidden_size), dtype)
        return LSTMCarry(zeros, zeros)

    def project(self, params: Params, xs: Array) -> jax.Array:
        return dense(xs, **params["input"])

    def recur(self, params: Params, carry: LSTMCarry) -> jax.Array:
        return dense(carry.hidden, params["recurrent"]["kernel"])

    def gate(self, params: Params, carry: LSTMCarry, z: jax.Array, r: jax.Array) -> tuple[LSTMCarry, jax.Array]:
        return lstm_gate(carry, z, r)

    def output(self, carry: LSTMCarry) -> jax.Array:
        return carry.hidden
