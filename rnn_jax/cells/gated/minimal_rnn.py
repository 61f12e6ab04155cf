"""MinimalRNN: the input is mapped into the space of the state, and one gate says how much of it enters.

    vₜ = tanh(Wᵀ xₜ + b)
    uₜ = σ(U_vᵀ vₜ + Uᵀ hₜ₋₁ + b_u)
    hₜ = uₜ ⊙ hₜ₋₁ + (1 − uₜ) ⊙ vₜ,    yₜ = hₜ

Chen 2017, arXiv:1711.06788, where vₜ = Φ(xₜ) may be any network of the input; here it is one layer with tanh. The state
is never mixed with itself outside of the gate: each unit is a weighted mean of what the same unit of v has been.

Kernels of the square products start orthogonal, W Glorot-uniform, biases as zero. In the projected input the part of
the gate stands before v.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedHiddenCell, along_last, block_dense, dense, interpolate, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

CHEN_2017 = Paper(
    key="chen2017minimalrnn",
    authors="Chen, Minmin",
    title="MinimalRNN: Toward more interpretable and trainable recurrent neural networks",
    year=2017,
    arxiv="1711.06788",
)


def minimal_rnn_gate(hidden: Hidden, z: Float[jax.Array, "*B 2*H"], r: Hidden) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` `[..., 2 H]` and the recurrent product `r` `[..., H]`."""
    z_keep, latent = jnp.split(z, 2, axis=-1)
    return interpolate(hidden, sigmoid(z_keep + r.astype(z.dtype)), latent)


@dataclasses.dataclass(frozen=True)
class MinimalRNN(GatedHiddenCell):
    """MinimalRNN; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]` (b), `latent.kernel [H, H]` (U_v),
    `latent.bias [H]` (b_u), `recurrent.kernel [H, H]`. Parameters: (D + 2 H + 2) H.

    Args:
        input_size: D.
        hidden_size: H.
        heads: N, a divisor of H; with more than one both square kernels are N blocks, `[N, H / N, H / N]`.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (CHEN_2017,)
    cut = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, latent_key = jax.random.split(key)
        sizes, square = (self.input_size, self.hidden_size), (self.hidden_size // self.heads,) * 2
        params = initializers.gated_kernels(kernel_key, *sizes, 1, param_dtype, heads=self.heads)
        params["input"]["bias"] = jnp.zeros(self.hidden_size, param_dtype)
        latent = initializers.in_heads(
            lambda key: initializers.orthogonal(key, square, param_dtype), latent_key, self.heads
        )
        return params | {"latent": {"kernel": latent, "bias": jnp.zeros(self.hidden_size, param_dtype)}}

    def project(self, params: Params, xs: Inputs) -> Projected:
        latent = jnp.tanh(dense(xs, **params["input"]))
        keep = block_dense(latent, params["latent"]["kernel"])
        return jnp.concatenate([keep + along_last(params["latent"]["bias"], keep), latent], axis=-1)

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return minimal_rnn_gate(carry, z, r)
