"""The recurrent highway network: several gated layers between one time step and the next.

    s₀ = hₜ₋₁;    for the layers l = 1 … L:
        aₗ = tanh([l = 1] W_hᵀ xₜ + U_hₗᵀ sₗ₋₁ + b_hₗ)
        tₗ = σ([l = 1] W_tᵀ xₜ + U_tₗᵀ sₗ₋₁ + b_tₗ)
        cₗ = 1 − tₗ,    or uncoupled    cₗ = σ([l = 1] W_cᵀ xₜ + U_cₗᵀ sₗ₋₁ + b_cₗ)
        sₗ = aₗ ⊙ tₗ + sₗ₋₁ ⊙ cₗ
    hₜ = s_L,    yₜ = hₜ

Zilly et al. 2017, arXiv:1607.03474, equations 6 to 9; the input enters at the first layer alone. The paper's
experiments couple the carry gate to the transform gate, as here by default, and start b_t below zero, so that at first
a step changes little: −2 for words and −4 for characters in the authors' code
(github.com/jzilly/RecurrentHighwayNetworks). An uncoupled carry gate starts as the coupled one would, b_c = −b_t.

Gates stand side by side in the order h, t, c.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import HiddenCell, along_last, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_size
from rnn_jax.typing import Array, DType, Float, Hidden, Key, Output, Params, Projected

ZILLY_2017 = Paper(
    key="zilly2017recurrent",
    authors="Zilly, Julian Georg and Srivastava, Rupesh Kumar and Koutník, Jan and Schmidhuber, Jürgen",
    title="Recurrent highway networks",
    year=2017,
    booktitle="International Conference on Machine Learning",
    arxiv="1607.03474",
)


def rhn_step(
    hidden: Hidden, z: Projected, kernels: Float[Array, "L H G"], biases: Float[Array, "L G"]
) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` `[..., G H]`, G gates; kernels `[L, H, G H]`, biases `[L, G H]`."""
    gates = z.shape[-1] // hidden.shape[-1]
    for layer in range(kernels.shape[0]):
        r = dense(hidden, kernels[layer]).astype(z.dtype) + along_last(biases[layer], z)
        candidate, *others = jnp.split(z + r if layer == 0 else r, gates, axis=-1)
        transform, *keeps = map(sigmoid, others)
        keep = keeps[0] if keeps else 1 - transform
        update = transform * jnp.tanh(candidate)
        hidden = keep.astype(hidden.dtype) * hidden + update.astype(hidden.dtype)
    return hidden, hidden.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class RHN(HiddenCell):
    """Recurrent highway network; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 2 H]`, `recurrent.kernel [L, H, 2 H]`, `recurrent.bias [L, 2 H]`;
    uncoupled, 3 H in place of 2 H. Parameters: 2 (D + L H + L) H.

    Args:
        input_size: D.
        hidden_size: H.
        depth: L, the layers of one step.
        coupled: whether the carry gate is one minus the transform gate.
        transform_bias: what b_t starts as.
    """

    input_size: int
    hidden_size: int
    depth: int = dataclasses.field(default=2, kw_only=True)
    coupled: bool = dataclasses.field(default=True, kw_only=True)
    transform_bias: float = dataclasses.field(default=-2.0, kw_only=True)
    papers = (ZILLY_2017,)

    def __post_init__(self):
        super().__post_init__()
        check_size("depth", self.depth)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, *layer_keys = jax.random.split(key, 1 + self.depth)
        shape, square = (self.input_size, self.hidden_size), (self.hidden_size, self.hidden_size)
        starts = (0.0, self.transform_bias) if self.coupled else (0.0, self.transform_bias, -self.transform_bias)
        gates = len(starts)
        bias = initializers.gate_bias(starts, self.hidden_size, param_dtype)
        layers = [initializers.per_gate(initializers.orthogonal, k, square, gates, param_dtype) for k in layer_keys]
        kernel = initializers.per_gate(initializers.glorot_uniform, input_key, shape, gates, param_dtype)
        return {
            "input": {"kernel": kernel},
            "recurrent": {"kernel": jnp.stack(layers), "bias": jnp.stack([bias] * self.depth)},
        }

    def step(self, params: Params, carry: Hidden, z: Projected) -> tuple[Hidden, Output]:
        return rhn_step(carry, z, params["recurrent"]["kernel"], params["recurrent"]["bias"])
