"""The plain recurrent network: one hidden state, one recurrent connection.

    hₜ = φ(Wᵢₕᵀ xₜ + b + Wₕₕᵀ hₜ₋₁),    yₜ = hₜ

Elman 1990, "Finding structure in time", Cognitive Science 14(2), with φ = tanh. IRNN, Le, Jaitly & Hinton 2015,
arXiv:1504.00941, section 3: φ = relu, Wₕₕ starts as the identity and b as zero.

Parameters: (D + H + 1) H. One bias instead of PyTorch's two, which only ever appear as their sum.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, check_choice, dense
from rnn_jax.typing import Array, Carry, DType, Params

ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}


def elman_gate(hidden: jax.Array, z: jax.Array, r: jax.Array, activation: str = "tanh") -> tuple[jax.Array, jax.Array]:
    """hₜ from the projected input `z` and the recurrent product `r`, all `[..., H]`."""
    y = ACTIVATIONS[activation](z + r.astype(z.dtype))
    return y.astype(hidden.dtype), y


@dataclasses.dataclass(frozen=True)
class Elman(GatedCell):
    """The plain recurrent cell; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]`, `recurrent.kernel [H, H]`.

    Args:
        input_size: D.
        hidden_size: H.
        activation: "tanh" or "relu".
        recurrent_init: "orthogonal" or "identity".
        bias: whether there is a bias.
    """

    input_size: int
    hidden_size: int
    activation: str = dataclasses.field(default="tanh", kw_only=True)
    recurrent_init: str = dataclasses.field(default="orthogonal", kw_only=True)
    bias: bool = dataclasses.field(default=True, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("recurrent_init", self.recurrent_init, ("orthogonal", "identity"))

    def init(self, key: jax.Array, param_dtype: DType = jnp.float32) -> Params:
        recurrent = getattr(initializers, self.recurrent_init)
        params = initializers.gated_kernels(key, self.input_size, self.hidden_size, 1, param_dtype, recurrent)
        if self.bias:
            params["input"]["bias"] = jnp.zeros(self.hidden_size, param_dtype)
        return params

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> jax.Array:
        return jnp.zeros((*batch_shape, self.hidden_size), dtype)

    def project(self, params: Params, xs: Array) -> jax.Array:
        return dense(xs, **params["input"])

    def recur(self, params: Params, carry: Carry) -> jax.Array:
        return dense(carry, params["recurrent"]["kernel"])

    def gate(self, params: Params, carry: Carry, z: jax.Array, r: jax.Array) -> tuple[Carry, jax.Array]:
        return elman_gate(carry, z, r, self.activation)

    def output(self, carry: Carry) -> jax.Array:
        return carry


@dataclasses.dataclass(frozen=True)
class IRNN(Elman):
    """Elman with relu and a recurrent kernel that starts as the identity; Le et al. 2015, arXiv:1504.00941."""

    activation: str = dataclasses.field(default="relu", kw_only=True)
    recurrent_init: str = dataclasses.field(default="identity", kw_only=True)
