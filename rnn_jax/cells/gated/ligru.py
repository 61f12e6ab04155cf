"""The light gated recurrent unit: one gate, rectified candidates.

    zₜ = σ(W_zᵀ xₜ + b_z + U_zᵀ hₜ₋₁)
    nₜ = relu(W_nᵀ xₜ + b_n + U_nᵀ hₜ₋₁)
    hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁,    yₜ = hₜ

Ravanelli et al. 2018, arXiv:1803.10225. The paper normalises W_zᵀ xₜ and W_nᵀ xₜ over the batch; here biases stand in
its place. Nothing else keeps the state bounded, so normalise the inputs.

Gates stand side by side in the order z, n. As in the paper input kernels start Glorot-uniform and recurrent ones
orthogonal; biases start as zero.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedHiddenCell, interpolate, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Hidden, Key, Output, Params, Product, Projected

RAVANELLI_2018 = Paper(
    key="ravanelli2018light",
    authors="Ravanelli, Mirco and Brakel, Philemon and Omologo, Maurizio and Bengio, Yoshua",
    title="Light gated recurrent units for speech recognition",
    year=2018,
    journal="IEEE Transactions on Emerging Topics in Computational Intelligence 2(2)",
    arxiv="1803.10225",
)


def ligru_gate(hidden: Hidden, z: Float[jax.Array, "*B 2*H"], r: Float[jax.Array, "*B 2*H"]) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` and the recurrent product `r`, both `[..., 2 H]`."""
    z_update, z_new = jnp.split(z, 2, axis=-1)
    r_update, r_new = jnp.split(r.astype(z.dtype), 2, axis=-1)
    return interpolate(hidden, sigmoid(z_update + r_update), jax.nn.relu(z_new + r_new))


@dataclasses.dataclass(frozen=True)
class LiGRU(GatedHiddenCell):
    """Light gated recurrent unit; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 2 H]`, `input.bias [2 H]`, `recurrent.kernel [H, 2 H]`.
    Parameters: 2 (D + H + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 2 H / N]`.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (RAVANELLI_2018,)
    additive = True
    cut = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = initializers.gated_kernels(key, self.input_size, self.hidden_size, 2, param_dtype, heads=self.heads)
        params["input"]["bias"] = jnp.zeros(2 * self.hidden_size, param_dtype)
        return params

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return ligru_gate(carry, z, r)
