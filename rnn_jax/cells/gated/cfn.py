"""The chaos-free network: a gated cell whose state, left without input, can only decay to zero.

    θₜ = σ(W_θᵀ xₜ + b_θ + U_θᵀ hₜ₋₁)
    ηₜ = σ(W_ηᵀ xₜ + b_η + U_ηᵀ hₜ₋₁)
    hₜ = θₜ ⊙ tanh(hₜ₋₁) + ηₜ ⊙ tanh(Wᵀ xₜ),    yₜ = hₜ

Laurent & von Brecht 2017, arXiv:1612.06212. Each unit is at most its old self plus its own input, so the
autonomous system has zero as its one attractor.

Gates stand side by side in the order θ, η, candidate; the candidate reads the input alone and has no bias. As in the
paper b_θ starts at 1 and b_η at −1. Kernels start Glorot-uniform and orthogonal, which fits any size; the paper takes
uniform values in ±0.07 for its large layers.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedHiddenCell, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

LAURENT_2017 = Paper(
    key="laurent2017recurrent",
    authors="Laurent, Thomas and von Brecht, James",
    title="A recurrent neural network without chaos",
    year=2017,
    booktitle="International Conference on Learning Representations",
    arxiv="1612.06212",
)


def cfn_gate(hidden: Hidden, z: Float[jax.Array, "*B 3*H"], r: Float[jax.Array, "*B 2*H"]) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` `[..., 3 H]` and the recurrent product `r` `[..., 2 H]`."""
    z_theta, z_eta, z_new = jnp.split(z, 3, axis=-1)
    r_theta, r_eta = jnp.split(r.astype(z.dtype), 2, axis=-1)
    update = sigmoid(z_eta + r_eta) * jnp.tanh(z_new)
    hidden = sigmoid(z_theta + r_theta).astype(hidden.dtype) * jnp.tanh(hidden) + update.astype(hidden.dtype)
    return hidden, hidden.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class CFN(GatedHiddenCell):
    """Chaos-free network; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 3 H]`, `input.bias [2 H]`, `recurrent.kernel [H, 2 H]`.
    Parameters: (3 D + 2 H + 2) H.

    Args:
        input_size: D.
        hidden_size: H.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 2 H / N]`.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (LAURENT_2017,)
    cut = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        sizes = self.input_size, self.hidden_size
        params = initializers.gated_kernels(key, *sizes, 3, param_dtype, recurrent_gates=2, heads=self.heads)
        params["input"]["bias"] = initializers.gate_bias((1.0, -1.0), self.hidden_size, param_dtype)
        return params

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, params["input"]["kernel"], jnp.pad(params["input"]["bias"], (0, self.hidden_size)))

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return cfn_gate(carry, z, r)
