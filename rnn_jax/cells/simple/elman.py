"""The plain recurrent network: one hidden state, one recurrent connection.

    hₜ = φ(Wᵢₕᵀ xₜ + b + Wₕₕᵀ hₜ₋₁),    yₜ = hₜ

Elman 1990, "Finding structure in time", Cognitive Science 14(2), with φ = tanh. IRNN, Le, Jaitly & Hinton 2015,
arXiv:1504.00941, section 3: φ = relu, Wₕₕ starts as the identity and b as zero.

One bias instead of PyTorch's two, which only ever appear as their sum.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedHiddenCell
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_choice
from rnn_jax.typing import DType, Hidden, Key, Output, Params, Product, Projected

ELMAN_1990 = Paper(
    key="elman1990finding",
    authors="Elman, Jeffrey L.",
    title="Finding structure in time",
    year=1990,
    journal="Cognitive Science 14(2)",
)
LE_2015 = Paper(
    key="le2015simple",
    authors="Le, Quoc V. and Jaitly, Navdeep and Hinton, Geoffrey E.",
    title="A simple way to initialize recurrent networks of rectified linear units",
    year=2015,
    arxiv="1504.00941",
)
ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}


def elman_gate(hidden: Hidden, z: Hidden, r: Hidden, activation: str = "tanh") -> tuple[Hidden, Output]:
    """hₜ from the projected input `z` and the recurrent product `r`, all `[..., H]`."""
    y = ACTIVATIONS[activation](z + r.astype(z.dtype))
    return y.astype(hidden.dtype), y


@dataclasses.dataclass(frozen=True)
class Elman(GatedHiddenCell):
    """The plain recurrent cell; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]`, `recurrent.kernel [H, H]`.
    Parameters: (D + H + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        activation: "tanh" or "relu".
        recurrent_init: "orthogonal" or "identity".
        bias: whether there is a bias.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, H / N]`.
    """

    input_size: int
    hidden_size: int
    activation: str = dataclasses.field(default="tanh", kw_only=True)
    recurrent_init: str = dataclasses.field(default="orthogonal", kw_only=True)
    bias: bool = dataclasses.field(default=True, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (ELMAN_1990,)
    additive = True

    def __post_init__(self):
        super().__post_init__()
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("recurrent_init", self.recurrent_init, ("orthogonal", "identity"))

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        recurrent = getattr(initializers, self.recurrent_init)
        sizes = self.input_size, self.hidden_size
        params = initializers.gated_kernels(key, *sizes, 1, param_dtype, recurrent, heads=self.heads)
        if self.bias:
            params["input"]["bias"] = jnp.zeros(self.hidden_size, param_dtype)
        return params

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return elman_gate(carry, z, r, self.activation)


@dataclasses.dataclass(frozen=True)
class IRNN(Elman):
    """Elman with relu and a recurrent kernel that starts as the identity; Le et al. 2015, arXiv:1504.00941.

    Carry, Params and Args as in `Elman`. Parameters: (D + H + 1) H.
    """

    activation: str = dataclasses.field(default="relu", kw_only=True)
    recurrent_init: str = dataclasses.field(default="identity", kw_only=True)
    papers = (LE_2015,)
