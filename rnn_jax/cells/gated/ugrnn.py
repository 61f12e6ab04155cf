"""The update gate network: a plain recurrent network and one gate that says how much of its old state to keep.

    gₜ = σ(W_gᵀ xₜ + b_g + U_gᵀ hₜ₋₁)
    cₜ = tanh(W_cᵀ xₜ + b_c + U_cᵀ hₜ₋₁)
    hₜ = gₜ ⊙ hₜ₋₁ + (1 − gₜ) ⊙ cₜ,    yₜ = hₜ

Collins, Sohl-Dickstein & Sussillo 2017, arXiv:1611.09913. The paper adds a constant to b_g, tuned for each task; here
b_g starts at that constant, which is the same function.

Gates stand side by side in the order g, c.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedHiddenCell, interpolate, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Hidden, Key, Output, Params, Product, Projected

COLLINS_2017 = Paper(
    key="collins2017capacity",
    authors="Collins, Jasmine and Sohl-Dickstein, Jascha and Sussillo, David",
    title="Capacity and trainability in recurrent neural networks",
    year=2017,
    booktitle="International Conference on Learning Representations",
    arxiv="1611.09913",
)


def ugrnn_gate(hidden: Hidden, z: Float[jax.Array, "*B 2*H"], r: Float[jax.Array, "*B 2*H"]) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` and the recurrent product `r`, both `[..., 2 H]`."""
    z_update, z_new = jnp.split(z, 2, axis=-1)
    r_update, r_new = jnp.split(r.astype(z.dtype), 2, axis=-1)
    return interpolate(hidden, sigmoid(z_update + r_update), jnp.tanh(z_new + r_new))


@dataclasses.dataclass(frozen=True)
class UGRNN(GatedHiddenCell):
    """Update gate network; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 2 H]`, `input.bias [2 H]`, `recurrent.kernel [H, 2 H]`.
    Parameters: 2 (D + H + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        forget_bias: what the gate's bias starts as; a larger one keeps the old state longer.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 2 H / N]`.
    """

    input_size: int
    hidden_size: int
    forget_bias: float = dataclasses.field(default=1.0, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (COLLINS_2017,)
    additive = True
    cut = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = initializers.gated_kernels(key, self.input_size, self.hidden_size, 2, param_dtype, heads=self.heads)
        params["input"]["bias"] = initializers.gate_bias((self.forget_bias, 0.0), self.hidden_size, param_dtype)
        return params

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return ugrnn_gate(carry, z, r)
