"""The recurrent additive network: a state that is a weighted sum of the inputs, the gates being the weights.

    iₜ = σ(Wᵢᵀ xₜ + bᵢ + Uᵢᵀ hₜ₋₁)
    fₜ = σ(W_fᵀ xₜ + b_f + U_fᵀ hₜ₋₁)
    cₜ = iₜ ⊙ (Wᵀ xₜ) + fₜ ⊙ cₜ₋₁
    hₜ = φ(cₜ),    yₜ = hₜ

Lee, Levy & Zettlemoyer 2017, arXiv:1705.07393: φ = tanh, or the identity. hₜ is a function of cₜ, which is
thus the whole carry.

Blocks stand side by side in the order i, f, content; the content reads the input alone and has no bias. Kernels start
as those of the GRU, biases as zero.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, block_dense, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_choice
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

LEE_2017 = Paper(
    key="lee2017recurrent",
    authors="Lee, Kenton and Levy, Omer and Zettlemoyer, Luke",
    title="Recurrent additive networks",
    year=2017,
    arxiv="1705.07393",
)
ACTIVATIONS = {"tanh": jnp.tanh, "identity": lambda x: x}


def ran_gate(
    state: Hidden, z: Float[jax.Array, "*B 3*H"], r: Float[jax.Array, "*B 2*H"], activation: str
) -> tuple[Hidden, Output]:
    """cₜ and yₜ from the projected input `z` `[..., 3 H]` and the recurrent product `r` `[..., 2 H]`."""
    z_write, z_keep, z_new = jnp.split(z, 3, axis=-1)
    r_write, r_keep = jnp.split(r.astype(z.dtype), 2, axis=-1)
    update = sigmoid(z_write + r_write) * z_new
    state = sigmoid(z_keep + r_keep).astype(state.dtype) * state + update.astype(state.dtype)
    return state, ACTIVATIONS[activation](state.astype(z.dtype))


@dataclasses.dataclass(frozen=True)
class RAN(GatedCell):
    """Recurrent additive network; equations and source at the top of this file.

    Carry: cₜ `[B, H]`. Params: `input.kernel [D, 3 H]`, `input.bias [2 H]`, `recurrent.kernel [H, 2 H]`.
    Parameters: (3 D + 2 H + 2) H.

    Args:
        input_size: D.
        hidden_size: H.
        activation: φ, "tanh" or "identity".
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 2 H / N]`.
    """

    input_size: int
    hidden_size: int
    activation: str = dataclasses.field(default="tanh", kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (LEE_2017,)
    cut = True

    def __post_init__(self):
        super().__post_init__()
        check_choice("activation", self.activation, tuple(ACTIVATIONS))

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        sizes = self.input_size, self.hidden_size
        params = initializers.gated_kernels(key, *sizes, 3, param_dtype, recurrent_gates=2, heads=self.heads)
        params["input"]["bias"] = jnp.zeros(2 * self.hidden_size, param_dtype)
        return params

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Hidden:
        return jnp.zeros((*batch_shape, self.hidden_size), dtype)

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, params["input"]["kernel"], jnp.pad(params["input"]["bias"], (0, self.hidden_size)))

    def recur(self, params: Params, carry: Hidden) -> Product:
        return block_dense(self.output(carry), params["recurrent"]["kernel"])

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return ran_gate(carry, z, r, self.activation)

    def output(self, carry: Hidden) -> Output:
        return ACTIVATIONS[self.activation](carry)
