"""The gated recurrent unit: a reset and an update gate, no separate cell state.

    rₜ = σ(W_rᵀ xₜ + b_r + U_rᵀ hₜ₋₁)
    zₜ = σ(W_zᵀ xₜ + b_z + U_zᵀ hₜ₋₁)
    nₜ = tanh(W_nᵀ xₜ + b_n + rₜ ⊙ (U_nᵀ hₜ₋₁ + c_n))     reset after the product: PyTorch, cuDNN (`GRU`)
    nₜ = tanh(W_nᵀ xₜ + b_n + U_nᵀ (rₜ ⊙ hₜ₋₁))           reset before it: the paper (`GRUResetBefore`)
    hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁,    yₜ = hₜ

Cho et al. 2014, arXiv:1406.1078, equations 5 to 8 (biases, which the paper leaves out, are added); the form with the
reset after the product: Chung et al. 2014, arXiv:1412.3555, footnote 1 of section 3.2, and cuDNN.

Gates stand side by side in the order r, z, n, as in PyTorch, whose recurrent biases other than c_n only ever appear in
a sum with those of the input. With `longest` b_z starts as Tallec & Ollivier 2018, arXiv:1804.11188, have it.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedHiddenCell, HiddenCell, along_last, dense, interpolate, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Hidden, Key, Output, Params, Product, Projected

CHO_2014 = Paper(
    key="cho2014learning",
    authors="Cho, Kyunghyun and van Merrienboer, Bart and Gulcehre, Caglar and Bahdanau, Dzmitry and Bougares, Fethi "
    "and Schwenk, Holger and Bengio, Yoshua",
    title="Learning phrase representations using RNN encoder-decoder for statistical machine translation",
    year=2014,
    booktitle="Empirical Methods in Natural Language Processing",
    arxiv="1406.1078",
)
CHUNG_2014 = Paper(
    key="chung2014empirical",
    authors="Chung, Junyoung and Gulcehre, Caglar and Cho, KyungHyun and Bengio, Yoshua",
    title="Empirical evaluation of gated recurrent neural networks on sequence modeling",
    year=2014,
    arxiv="1412.3555",
)


def gru_gate(hidden: Hidden, z: Float[jax.Array, "*B 3*H"], r: Float[jax.Array, "*B 3*H"]) -> tuple[Hidden, Output]:
    """hₜ and yₜ with the reset after the product; `z` and `r` are `[..., 3 H]`, c_n is in `r`."""
    z_reset, z_update, z_new = jnp.split(z, 3, axis=-1)
    r_reset, r_update, r_new = jnp.split(r.astype(z.dtype), 3, axis=-1)
    reset = sigmoid(z_reset + r_reset)
    new = jnp.tanh(z_new + reset * r_new)
    return interpolate(hidden, sigmoid(z_update + r_update), new)


def gru_step_reset_before(
    hidden: Hidden, z: Float[jax.Array, "*B 3*H"], recurrent_kernel: Float[jax.Array, "H 3*H"]
) -> tuple[Hidden, Output]:
    """hₜ and yₜ with the reset before the product; `z` is `[..., 3 H]`, the kernel `[H, 3 H]`."""
    size = hidden.shape[-1]
    z_gates, z_new = z[..., : 2 * size], z[..., 2 * size :]
    gates = sigmoid(z_gates + dense(hidden, recurrent_kernel[:, : 2 * size]).astype(z.dtype))
    reset, update = jnp.split(gates, 2, axis=-1)
    candidate = dense(reset.astype(hidden.dtype) * hidden, recurrent_kernel[:, 2 * size :])
    return interpolate(hidden, update, jnp.tanh(z_new + candidate.astype(z.dtype)))


class _GRU(HiddenCell):
    """What both forms share: sizes and initial values."""

    input_size: int
    hidden_size: int
    bias: bool
    heads: int = 1

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = initializers.gated_kernels(key, self.input_size, self.hidden_size, 3, param_dtype, heads=self.heads)
        if self.bias:
            params["input"]["bias"] = jnp.zeros(3 * self.hidden_size, param_dtype)
        return params


@dataclasses.dataclass(frozen=True)
class GRU(_GRU, GatedHiddenCell):
    """Gated recurrent unit with the reset after the product; equations and sources at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 3 H]`, `input.bias [3 H]`, `recurrent.kernel [H, 3 H]`,
    `recurrent.bias [H]` (c_n). Parameters: 3 (D + H + 1) H + H.

    Args:
        input_size: D.
        hidden_size: H.
        bias: whether there are biases.
        longest: the longest dependence to expect, in steps, for `initializers.chrono`; None starts b_z as zero.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 3 H / N]`.

    Raises:
        ValueError: longest is no such time, or given without biases.
    """

    input_size: int
    hidden_size: int
    bias: bool = dataclasses.field(default=True, kw_only=True)
    longest: int | None = dataclasses.field(default=None, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (CHO_2014, CHUNG_2014)
    cut = True

    def __post_init__(self):
        super().__post_init__()
        initializers.check_longest_of_cell(self.longest, self.bias)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = super().init(key, param_dtype)
        if self.bias:
            params["recurrent"]["bias"] = jnp.zeros(self.hidden_size, param_dtype)
        if self.longest is not None:
            keep = initializers.chrono(jax.random.fold_in(key, 1), self.hidden_size, self.longest, param_dtype)
            params["input"]["bias"] = jnp.concatenate([jnp.zeros_like(keep), keep, jnp.zeros_like(keep)])
        return params

    def recur(self, params: Params, carry: Hidden) -> Product:
        product = super().recur(params, carry)
        if not self.bias:
            return product
        bias = jnp.pad(jnp.asarray(params["recurrent"]["bias"], product.dtype), (2 * self.hidden_size, 0))
        return product + along_last(bias, product)

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return gru_gate(carry, z, r)


@dataclasses.dataclass(frozen=True)
class GRUResetBefore(_GRU):
    """Gated recurrent unit with the reset before the product, as in the paper; equations at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 3 H]`, `input.bias [3 H]`, `recurrent.kernel [H, 3 H]`.
    Parameters: 3 (D + H + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        bias: whether there is a bias.
    """

    input_size: int
    hidden_size: int
    bias: bool = dataclasses.field(default=True, kw_only=True)
    papers = (CHO_2014,)

    def step(self, params: Params, carry: Hidden, z: Projected) -> tuple[Hidden, Output]:
        return gru_step_reset_before(carry, z, params["recurrent"]["kernel"])
