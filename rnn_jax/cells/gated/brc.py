"""The bistable recurrent cell: a unit may have two stable states of its own, between which inputs switch it.

    aₜ = 1 + tanh(Wₐᵀ xₜ + bₐ + uₐ ⊙ hₜ₋₁)        `BRC`: each unit sees itself alone
    cₜ = σ(W_cᵀ xₜ + b_c + u_c ⊙ hₜ₋₁)

    aₜ = 1 + tanh(Wₐᵀ xₜ + bₐ + Uₐᵀ hₜ₋₁)         `NBRC`: the gates are neuromodulated, they see all units
    cₜ = σ(W_cᵀ xₜ + b_c + U_cᵀ hₜ₋₁)

    hₜ = cₜ ⊙ hₜ₋₁ + (1 − cₜ) ⊙ tanh(Wᵀ xₜ + aₜ ⊙ hₜ₋₁),    yₜ = hₜ

Vecoven, Ernst & Drion 2021, arXiv:2006.05252, equations of the BRC and of the nBRC. While aₜ < 1 a unit without input
falls back to zero; where aₜ > 1 it settles at one of the two solutions of h = tanh(a h) other than zero and stays.

Blocks stand side by side in the order a, c, candidate. Biases, which the gates have in the authors' code
(github.com/nvecoven/BRC) and not in the equations, start as zero; as there u starts as one and all kernels
Glorot-uniform.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, GatedHiddenCell, HiddenCell, along_last, dense, interpolate, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

VECOVEN_2021 = Paper(
    key="vecoven2021bistable",
    authors="Vecoven, Nicolas and Ernst, Damien and Drion, Guillaume",
    title="A bio-inspired bistable recurrent cell allows for long-lasting memory",
    year=2021,
    journal="PLoS ONE 16(6)",
    arxiv="2006.05252",
)


def brc_gate(hidden: Hidden, z: Float[jax.Array, "*B 3*H"], r: Float[jax.Array, "*B 2*H"]) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` `[..., 3 H]` and what the gates see of hₜ₋₁, `r` `[..., 2 H]`."""
    z_feedback, z_keep, z_new = jnp.split(z, 3, axis=-1)
    r_feedback, r_keep = jnp.split(r.astype(z.dtype), 2, axis=-1)
    feedback = 1 + jnp.tanh(z_feedback + r_feedback)
    new = jnp.tanh(z_new + feedback * hidden.astype(z.dtype))
    return interpolate(hidden, sigmoid(z_keep + r_keep), new)


class _BRC(HiddenCell, GatedCell):
    """What both share: everything but how the gates see the state."""

    input_size: int
    hidden_size: int
    cut = True

    def input_params(self, key: Key, param_dtype: DType) -> Params:
        """New parameters of the input."""
        shape = (self.input_size, self.hidden_size)
        kernel = initializers.per_gate(initializers.glorot_uniform, key, shape, 3, param_dtype)
        return {"kernel": kernel, "bias": jnp.zeros(2 * self.hidden_size, param_dtype)}

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, params["input"]["kernel"], jnp.pad(params["input"]["bias"], (0, self.hidden_size)))

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return brc_gate(carry, z, r)


@dataclasses.dataclass(frozen=True)
class BRC(_BRC):
    """Bistable recurrent cell; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 3 H]`, `input.bias [2 H]`, `recurrent.weight [2 H]` (uₐ, u_c).
    Parameters: (3 D + 4) H.

    Args:
        input_size: D.
        hidden_size: H.
    """

    input_size: int
    hidden_size: int
    papers = (VECOVEN_2021,)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        weight = jnp.ones(2 * self.hidden_size, param_dtype)
        return {"input": self.input_params(key, param_dtype), "recurrent": {"weight": weight}}

    def recur(self, params: Params, carry: Hidden) -> Product:
        return along_last(params["recurrent"]["weight"], carry) * jnp.concatenate([carry, carry], axis=-1)


@dataclasses.dataclass(frozen=True)
class NBRC(_BRC, GatedHiddenCell):
    """Neuromodulated bistable recurrent cell; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 3 H]`, `input.bias [2 H]`, `recurrent.kernel [H, 2 H]` (Uₐ, U_c).
    Parameters: (3 D + 2 H + 2) H.

    Args:
        input_size: D.
        hidden_size: H.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 2 H / N]`.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (VECOVEN_2021,)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, recurrent_key = jax.random.split(key)
        glorot, square = initializers.glorot_uniform, (self.hidden_size // self.heads,) * 2
        kernel = initializers.in_heads(
            lambda key: initializers.per_gate(glorot, key, square, 2, param_dtype), recurrent_key, self.heads
        )
        return {"input": self.input_params(input_key, param_dtype), "recurrent": {"kernel": kernel}}
