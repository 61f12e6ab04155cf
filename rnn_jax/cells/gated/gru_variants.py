"""Gated recurrent units whose gates know less: the hidden state and a bias, the hidden state, a bias.

    rₜ = σ(b_r + U_rᵀ hₜ₋₁)       rₜ = σ(U_rᵀ hₜ₋₁)       rₜ = σ(b_r)
    zₜ = σ(b_z + U_zᵀ hₜ₋₁)       zₜ = σ(U_zᵀ hₜ₋₁)       zₜ = σ(b_z)
          (`GRU1`)                   (`GRU2`)              (`GRU3`)

    nₜ = tanh(W_nᵀ xₜ + b_n + U_nᵀ (rₜ ⊙ hₜ₋₁))
    hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁,    yₜ = hₜ

Dey & Salem 2017, arXiv:1701.05923. As in the paper, the reset comes before the product (`GRUResetBefore`). zₜ keeps
the old state, as everywhere here; the paper's zₜ is 1 minus ours.

Blocks stand side by side in the order r, z, n. Kernels start as those of the GRU, biases as zero.
"""

import dataclasses

import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, HiddenCell, along_last, block_dense, interpolate, sigmoid
from rnn_jax.cells.gated.gru import CHO_2014, gru_step_reset_before
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import Array, DType, Float, Hidden, Key, Output, Params, Product, Projected

DEY_2017 = Paper(
    key="dey2017gate",
    authors="Dey, Rahul and Salem, Fathi M.",
    title="Gate-variants of gated recurrent unit (GRU) neural networks",
    year=2017,
    booktitle="IEEE International Midwest Symposium on Circuits and Systems",
    arxiv="1701.05923",
)


def gru_step_without_input(
    hidden: Hidden, z: Hidden, recurrent_kernel: Float[Array, "H 3*H"], gate_bias: Float[Array, "2*H"]
) -> tuple[Hidden, Output]:
    """hₜ and yₜ where the gates read the hidden state; `z` is `[..., H]`, the kernel `[H, 3 H]`, the bias `[2 H]`."""
    gates = jnp.broadcast_to(along_last(gate_bias, z), (*z.shape[:-1], gate_bias.shape[0]))
    return gru_step_reset_before(hidden, jnp.concatenate([gates, z], axis=-1), jnp.asarray(recurrent_kernel))


def gru3_gate(hidden: Hidden, z: Hidden, r: Hidden, update_bias: Float[Array, "H"]) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` and the product `r` of the reset state, both `[..., H]`."""
    return interpolate(hidden, sigmoid(along_last(update_bias, z)), jnp.tanh(z + r.astype(z.dtype)))


@dataclasses.dataclass(frozen=True)
class GRU1(HiddenCell):
    """GRU whose gates read the hidden state and a bias; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]` (b_n), `recurrent.kernel [H, 3 H]`,
    `recurrent.bias [2 H]` (b_r, b_z). Parameters: (D + 3 H + 3) H.

    Args:
        input_size: D.
        hidden_size: H.
    """

    input_size: int
    hidden_size: int
    papers = (DEY_2017, CHO_2014)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = initializers.gated_kernels(key, self.input_size, self.hidden_size, 1, param_dtype, recurrent_gates=3)
        params["input"]["bias"] = jnp.zeros(self.hidden_size, param_dtype)
        params["recurrent"]["bias"] = jnp.zeros(2 * self.hidden_size, param_dtype)
        return params

    def step(self, params: Params, carry: Hidden, z: Projected) -> tuple[Hidden, Output]:
        return gru_step_without_input(carry, z, params["recurrent"]["kernel"], params["recurrent"]["bias"])


@dataclasses.dataclass(frozen=True)
class GRU2(HiddenCell):
    """GRU whose gates read the hidden state alone; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]` (b_n), `recurrent.kernel [H, 3 H]`.
    Parameters: (D + 3 H + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
    """

    input_size: int
    hidden_size: int
    papers = (DEY_2017, CHO_2014)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = initializers.gated_kernels(key, self.input_size, self.hidden_size, 1, param_dtype, recurrent_gates=3)
        params["input"]["bias"] = jnp.zeros(self.hidden_size, param_dtype)
        return params

    def step(self, params: Params, carry: Hidden, z: Projected) -> tuple[Hidden, Output]:
        no_bias = jnp.zeros(2 * self.hidden_size, z.dtype)
        return gru_step_without_input(carry, z, params["recurrent"]["kernel"], no_bias)


@dataclasses.dataclass(frozen=True)
class GRU3(HiddenCell, GatedCell):
    """GRU whose gates are constants that are learned; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]` (b_n), `recurrent.kernel [H, H]`,
    `recurrent.bias [2 H]` (b_r, b_z). Parameters: (D + H + 3) H.

    Args:
        input_size: D.
        hidden_size: H.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, H / N]`.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (DEY_2017, CHO_2014)
    additive = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = initializers.gated_kernels(key, self.input_size, self.hidden_size, 1, param_dtype, heads=self.heads)
        params["input"]["bias"] = jnp.zeros(self.hidden_size, param_dtype)
        params["recurrent"]["bias"] = jnp.zeros(2 * self.hidden_size, param_dtype)
        return params

    def recur(self, params: Params, carry: Hidden) -> Product:
        reset = sigmoid(along_last(params["recurrent"]["bias"][: self.hidden_size], carry))
        return block_dense(reset * carry, params["recurrent"]["kernel"])

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return gru3_gate(carry, z, r, params["recurrent"]["bias"][self.hidden_size :])
