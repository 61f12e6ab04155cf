"""IndyLSTM: long short-term memory whose units see themselves alone, so that a step has no matrix product.

    iₜ = σ(Wᵢᵀ xₜ + bᵢ + uᵢ ⊙ hₜ₋₁)        gₜ = tanh(W_gᵀ xₜ + b_g + u_g ⊙ hₜ₋₁)
    fₜ = σ(W_fᵀ xₜ + b_f + u_f ⊙ hₜ₋₁)      cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
    oₜ = σ(Wₒᵀ xₜ + bₒ + uₒ ⊙ hₜ₋₁)        hₜ = oₜ ⊙ tanh(cₜ),    yₜ = hₜ

Gonnet & Deselaers 2019, arXiv:1903.08023: an `LSTM` whose recurrent matrices are diagonal, as in `IndRNN`; layers mix
the units. It is `LSTM(D, H, heads=H)` with its weights in one vector.

Gates stand side by side in the order i, f, g, o. W starts Glorot-uniform, u uniform in ±1, b_f at one and the other
biases as zero.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, along_last, dense
from rnn_jax.cells.gated.lstm import LSTMCarry, lstm_gate
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Inputs, Key, Output, Params, Product, Projected

GONNET_2019 = Paper(
    key="gonnet2019indylstms",
    authors="Gonnet, Pedro and Deselaers, Thomas",
    title="IndyLSTMs: Independently recurrent LSTMs",
    year=2019,
    arxiv="1903.08023",
)


@dataclasses.dataclass(frozen=True)
class IndyLSTM(GatedCell):
    """Independently recurrent LSTM; equations and source at the top of this file.

    Carry: `LSTMCarry(hidden [B, H], cell [B, H])`.
    Params: `input.kernel [D, 4 H]`, `input.bias [4 H]`, `recurrent.weight [4 H]` (u). Parameters: 4 (D + 2) H.

    Args:
        input_size: D.
        hidden_size: H.
        forget_bias: what the forget gate's bias starts as.
    """

    input_size: int
    hidden_size: int
    forget_bias: float = dataclasses.field(default=1.0, kw_only=True)
    papers = (GONNET_2019,)
    additive = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, weight_key = jax.random.split(key)
        shape, starts = (self.input_size, self.hidden_size), (0.0, self.forget_bias, 0.0, 0.0)
        return {
            "input": {
                "kernel": initializers.per_gate(initializers.glorot_uniform, kernel_key, shape, 4, param_dtype),
                "bias": initializers.gate_bias(starts, self.hidden_size, param_dtype),
            },
            "recurrent": {"weight": jax.random.uniform(weight_key, (4 * self.hidden_size,), param_dtype, -1.0, 1.0)},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> LSTMCarry:
        shape = (*batch_shape, self.hidden_size)
        return LSTMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, **params["input"])

    def recur(self, params: Params, carry: LSTMCarry) -> Product:
        return along_last(params["recurrent"]["weight"], carry.hidden) * jnp.concatenate([carry.hidden] * 4, axis=-1)

    def gate(self, params: Params, carry: LSTMCarry, z: Projected, r: Product) -> tuple[LSTMCarry, Output]:
        return lstm_gate(params, carry, z, r)

    def output(self, carry: LSTMCarry) -> Output:
        return carry.hidden
