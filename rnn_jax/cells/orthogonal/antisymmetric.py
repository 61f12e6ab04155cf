"""The antisymmetric network: Euler steps of a differential equation that neither forgets nor explodes.

    hₜ = hₜ₋₁ + ε tanh(M hₜ₋₁ + Vᵀ xₜ + b),    M = W − Wᵀ − γ I,    yₜ = hₜ          AntisymmetricRNN

    zₜ = σ(M hₜ₋₁ + V_zᵀ xₜ + b_z)
    hₜ = hₜ₋₁ + ε zₜ ⊙ tanh(M hₜ₋₁ + Vᵀ xₜ + b),                          yₜ = hₜ    GatedAntisymmetricRNN

Chang, Chen, Haber & Chi 2019, arXiv:1902.09689. The eigenvalues of W − Wᵀ are imaginary, so the equation keeps what
it has; the diffusion moves them to the left by γ, where Euler's steps of size ε are stable. W is strictly upper
triangular, which is all that W − Wᵀ can tell. The gate shares M, so that the property lasts.

The gated kernel holds V_z first, then V; so does its bias.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import sigmoid
from rnn_jax.cells.orthogonal.skew import SkewCell
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_number
from rnn_jax.typing import DType, Float, Hidden, Key, Output, Params, Product, Projected

CHANG_2019 = Paper(
    key="chang2019antisymmetric",
    authors="Chang, Bo and Chen, Minmin and Haber, Eldad and Chi, Ed H.",
    title="AntisymmetricRNN: a dynamical system view on recurrent neural networks",
    year=2019,
    booktitle="International Conference on Learning Representations",
    arxiv="1902.09689",
)


def antisymmetric_gate(hidden: Hidden, z: Projected, r: Hidden, epsilon: float, gated: bool) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the recurrent product `r [..., H]` and the projected input `z [..., H]`, `[..., 2 H]` if gated."""
    r = r.astype(z.dtype)
    if gated:
        z_gate, z_new = jnp.split(z, 2, axis=-1)
        change = sigmoid(z_gate + r) * jnp.tanh(z_new + r)
    else:
        change = jnp.tanh(z + r)
    hidden = hidden + epsilon * change.astype(hidden.dtype)
    return hidden, hidden.astype(z.dtype)


class _Antisymmetric(SkewCell):
    """What both forms share: the recurrent kernel, initial values, the check of the options."""

    epsilon: float
    gamma: float
    gated = False

    def __post_init__(self):
        super().__post_init__()
        check_number("epsilon", self.epsilon, above=0)
        check_number("gamma", self.gamma, least=0)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, skew_key = jax.random.split(key)
        gates, size = 1 + self.gated, self.hidden_size
        glorot = initializers.glorot_uniform
        kernel = initializers.per_gate(glorot, input_key, (self.input_size, size), gates, param_dtype)
        skew = jax.random.normal(skew_key, (size * (size - 1) // 2,), param_dtype) / (2 * size**0.5)
        return {"input": {"kernel": kernel, "bias": jnp.zeros(gates * size, param_dtype)}, "recurrent": {"skew": skew}}

    def kernel(self, skew: Float[jax.Array, "H H"]) -> Float[jax.Array, "H H"]:
        return skew - self.gamma * jnp.eye(self.hidden_size, dtype=skew.dtype)

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return antisymmetric_gate(carry, z, r, self.epsilon, self.gated)


@dataclasses.dataclass(frozen=True)
class AntisymmetricRNN(_Antisymmetric):
    """Antisymmetric network; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]`, `recurrent.skew [H (H − 1) / 2]`: W − Wᵀ.
    Parameters: D H + H (H + 1) / 2.

    The numbers in `skew` start normal with variance 1 / (4 H), which keeps the eigenvalues of W − Wᵀ within ±i.

    Args:
        input_size: D.
        hidden_size: H.
        epsilon: the step size.
        gamma: the diffusion.
    """

    input_size: int
    hidden_size: int
    epsilon: float = dataclasses.field(default=0.1, kw_only=True)
    gamma: float = dataclasses.field(default=0.1, kw_only=True)
    papers = (CHANG_2019,)


@dataclasses.dataclass(frozen=True)
class GatedAntisymmetricRNN(_Antisymmetric):
    """Antisymmetric network with a gate on the change; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 2 H]`, `input.bias [2 H]`, `recurrent.skew [H (H − 1) / 2]`.
    Parameters: (2 D + 1) H + H (H + 1) / 2.

    Initial values as in `AntisymmetricRNN`.

    Args:
        input_size: D.
        hidden_size: H.
        epsilon: the step size.
        gamma: the diffusion.
    """

    input_size: int
    hidden_size: int
    epsilon: float = dataclasses.field(default=0.1, kw_only=True)
    gamma: float = dataclasses.field(default=0.1, kw_only=True)
    papers = (CHANG_2019,)
    cut = True
    gated = True
