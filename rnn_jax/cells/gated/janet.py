"""JANET, "just another network": a long short-term memory with nothing but the forget gate.

    sₜ = W_fᵀ xₜ + b_f + U_fᵀ cₜ₋₁
    gₜ = tanh(W_gᵀ xₜ + b_g + U_gᵀ cₜ₋₁)
    cₜ = σ(sₜ) ⊙ cₜ₋₁ + (1 − σ(sₜ − β)) ⊙ gₜ,    yₜ = cₜ

van der Westhuizen & Lasenby 2018, arXiv:1804.04849. β = 1 lets somewhat more in than is forgotten, so that
|cₜ| stays below eᵝ rather than one. The paper's gates start as Tallec & Ollivier 2018, arXiv:1804.11188, propose, which
needs the length of the dependences in the data: give it as `longest`. Without it b_f starts at one, as in the authors'
code (github.com/JosvanderWesthuizen/janet).

Gates stand side by side in the order f, g.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedHiddenCell, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Hidden, Key, Output, Params, Product, Projected

WESTHUIZEN_2018 = Paper(
    key="westhuizen2018unreasonable",
    authors="van der Westhuizen, Jos and Lasenby, Joan",
    title="The unreasonable effectiveness of the forget gate",
    year=2018,
    arxiv="1804.04849",
)
TALLEC_2018 = Paper(
    key="tallec2018can",
    authors="Tallec, Corentin and Ollivier, Yann",
    title="Can recurrent neural networks warp time?",
    year=2018,
    booktitle="International Conference on Learning Representations",
    arxiv="1804.11188",
)


def janet_gate(
    state: Hidden, z: Float[jax.Array, "*B 2*H"], r: Float[jax.Array, "*B 2*H"], beta: float
) -> tuple[Hidden, Output]:
    """cₜ and yₜ from the projected input `z` and the recurrent product `r`, both `[..., 2 H]`."""
    z_forget, z_new = jnp.split(z, 2, axis=-1)
    r_forget, r_new = jnp.split(r.astype(z.dtype), 2, axis=-1)
    forget = z_forget + r_forget
    update = sigmoid(beta - forget) * jnp.tanh(z_new + r_new)
    state = sigmoid(forget).astype(state.dtype) * state + update.astype(state.dtype)
    return state, state.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class JANET(GatedHiddenCell):
    """Forget-gate-only memory; equations and sources at the top of this file.

    Carry: cₜ `[B, H]`. Params: `input.kernel [D, 2 H]`, `input.bias [2 H]`, `recurrent.kernel [H, 2 H]`.
    Parameters: 2 (D + H + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        beta: β, how much the input gate is shifted open.
        longest: the longest dependence to expect, in steps, for `initializers.chrono`; None starts b_f at one.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 2 H / N]`.
    """

    input_size: int
    hidden_size: int
    beta: float = dataclasses.field(default=1.0, kw_only=True)
    longest: int | None = dataclasses.field(default=None, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (WESTHUIZEN_2018, TALLEC_2018)
    additive = True
    cut = True

    def __post_init__(self):
        super().__post_init__()
        if self.longest is not None:
            initializers.check_longest(self.longest)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, bias_key = jax.random.split(key)
        params = initializers.gated_kernels(
            kernel_key, self.input_size, self.hidden_size, 2, param_dtype, heads=self.heads
        )
        if self.longest is None:
            forget = jnp.ones(self.hidden_size, param_dtype)
        else:
            forget = initializers.chrono(bias_key, self.hidden_size, self.longest, param_dtype)
        params["input"]["bias"] = jnp.concatenate([forget, jnp.zeros_like(forget)])
        return params

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return janet_gate(carry, z, r, self.beta)
