"""Multiplicative long short-term memory: the input chooses the recurrent matrix that the gates see.

    mₜ = (W_mᵀ xₜ) ⊙ (V_mᵀ hₜ₋₁)
    iₜ = σ(Wᵢᵀ xₜ + bᵢ + Uᵢᵀ mₜ)        gₜ = tanh(W_gᵀ xₜ + b_g + U_gᵀ mₜ)
    fₜ = σ(W_fᵀ xₜ + b_f + U_fᵀ mₜ)      cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
    oₜ = σ(Wₒᵀ xₜ + bₒ + Uₒᵀ mₜ)        hₜ = oₜ ⊙ tanh(cₜ),    yₜ = hₜ

Krause et al. 2016, arXiv:1609.07959; mₜ has the size of hₜ, as there. The recurrent matrix of a step is
V_m diag(W_mᵀ xₜ) U. The LSTM around it is the common one, as in the authors' later code (github.com/benkrause/mLSTM,
chainer); their first code has tanh(oₜ ⊙ cₜ) instead and no tanh in gₜ.

Input blocks stand side by side in the order m, i, f, g, o, those of the recurrent kernel in the order i, f, g, o. The
factors of m have no bias. b_f starts at one as in the LSTM (and in that code), the other biases as zero.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import Cell, dense
from rnn_jax.cells.gated.lstm import LSTMCarry, lstm_gate
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Inputs, Key, Output, Params, Projected

KRAUSE_2016 = Paper(
    key="krause2016multiplicative",
    authors="Krause, Ben and Lu, Liang and Murray, Iain and Renals, Steve",
    title="Multiplicative LSTM for sequence modelling",
    year=2016,
    arxiv="1609.07959",
)


def multiplicative_lstm_step(params: Params, carry: LSTMCarry, z: Projected) -> tuple[LSTMCarry, Output]:
    """(hₜ, cₜ) and yₜ from the projected input `z` `[..., 5 H]`."""
    size = carry.hidden.shape[-1]
    factor, gates = z[..., :size], z[..., size:]
    m = factor.astype(carry.hidden.dtype) * dense(carry.hidden, params["factor"]["kernel"])
    return lstm_gate(params, carry, gates, dense(m, params["recurrent"]["kernel"]))


@dataclasses.dataclass(frozen=True)
class MultiplicativeLSTM(Cell):
    """Multiplicative long short-term memory; equations and source at the top of this file.

    Carry: `LSTMCarry(hidden [B, H], cell [B, H])`.
    Params: `input.kernel [D, 5 H]`, `input.bias [4 H]`, `factor.kernel [H, H]` (V_m), `recurrent.kernel [H, 4 H]` (U).
    Parameters: (5 D + 5 H + 4) H.

    Args:
        input_size: D.
        hidden_size: H.
        forget_bias: what the forget gate's bias starts as.
    """

    input_size: int
    hidden_size: int
    forget_bias: float = dataclasses.field(default=1.0, kw_only=True)
    papers = (KRAUSE_2016,)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, factor_key = jax.random.split(key)
        params = initializers.gated_kernels(
            kernel_key, self.input_size, self.hidden_size, 5, param_dtype, recurrent_gates=4
        )
        starts = (0.0, self.forget_bias, 0.0, 0.0)
        params["input"]["bias"] = initializers.gate_bias(starts, self.hidden_size, param_dtype)
        square = (self.hidden_size, self.hidden_size)
        params["factor"] = {"kernel": initializers.orthogonal(factor_key, square, param_dtype)}
        return params

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> LSTMCarry:
        shape = (*batch_shape, self.hidden_size)
        return LSTMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, params["input"]["kernel"], jnp.pad(params["input"]["bias"], (self.hidden_size, 0)))

    def step(self, params: Params, carry: LSTMCarry, z: Projected) -> tuple[LSTMCarry, Output]:
        return multiplicative_lstm_step(params, carry, z)

    def output(self, carry: LSTMCarry) -> Output:
        return carry.hidden
