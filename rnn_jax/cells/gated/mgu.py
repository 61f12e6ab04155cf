"""The minimal gated unit: one gate that both resets and updates.

    fₜ = σ(W_fᵀ xₜ + b_f + U_fᵀ hₜ₋₁)
    nₜ = tanh(W_nᵀ xₜ + b_n + U_nᵀ (fₜ ⊙ hₜ₋₁))
    hₜ = (1 − fₜ) ⊙ hₜ₋₁ + fₜ ⊙ nₜ,    yₜ = hₜ

Zhou et al. 2016, arXiv:1603.09420, section 3. It is `GRUResetBefore` with r = f and z = 1 − f. The paper calls f the
forget gate, though the state is forgotten where f is one.

Gates stand side by side in the order f, n. Kernels start as those of the GRU, biases as zero.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import HiddenCell, dense, interpolate, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import Array, DType, Float, Hidden, Key, Output, Params, Projected

ZHOU_2016 = Paper(
    key="zhou2016minimal",
    authors="Zhou, Guo-Bing and Wu, Jianxin and Zhang, Chen-Lin and Zhou, Zhi-Hua",
    title="Minimal gated unit for recurrent neural networks",
    year=2016,
    journal="International Journal of Automation and Computing 13(3)",
    arxiv="1603.09420",
)


def mgu_step(
    hidden: Hidden, z: Float[jax.Array, "*B 2*H"], recurrent_kernel: Float[Array, "H 2*H"]
) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` `[..., 2 H]`; the kernel is `[H, 2 H]`."""
    z_forget, z_new = jnp.split(z, 2, axis=-1)
    forget_kernel, new_kernel = jnp.split(jnp.asarray(recurrent_kernel), 2, axis=1)
    forget = sigmoid(z_forget + dense(hidden, forget_kernel).astype(z.dtype))
    candidate = dense(forget.astype(hidden.dtype) * hidden, new_kernel)
    return interpolate(hidden, 1 - forget, jnp.tanh(z_new + candidate.astype(z.dtype)))


@dataclasses.dataclass(frozen=True)
class MGU(HiddenCell):
    """Minimal gated unit; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 2 H]`, `input.bias [2 H]`, `recurrent.kernel [H, 2 H]`.
    Parameters: 2 (D + H + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
    """

    input_size: int
    hidden_size: int
    papers = (ZHOU_2016,)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = initializers.gated_kernels(key, self.input_size, self.hidden_size, 2, param_dtype)
        params["input"]["bias"] = jnp.zeros(2 * self.hidden_size, param_dtype)
        return params

    def step(self, params: Params, carry: Hidden, z: Projected) -> tuple[Hidden, Output]:
        return mgu_step(carry, z, params["recurrent"]["kernel"])
