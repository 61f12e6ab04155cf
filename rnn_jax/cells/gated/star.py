"""STAR, the stackable recurrent cell: one gate, and gradients that keep their size through many layers.

    kₜ = σ(W_kᵀ xₜ + b_k + U_kᵀ hₜ₋₁)
    zₜ = tanh(W_zᵀ xₜ + b_z)
    hₜ = tanh((1 − kₜ) ⊙ hₜ₋₁ + kₜ ⊙ zₜ),    yₜ = hₜ

Turkoglu et al. 2019, arXiv:1911.11033. The authors' code (github.com/0zgur0/STAckable-Recurrent-network)
shifts the gate of hₜ₋₁ as `JANET` does; here the paper's equations stand.

Blocks stand side by side in the order k, z. All kernels start orthogonal, and b_k so that the units remember for up to
`longest` steps, both as in that code; without `longest` b_k starts as zero. b_z starts as zero.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedHiddenCell, sigmoid
from rnn_jax.cells.gated.janet import TALLEC_2018
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Hidden, Key, Output, Params, Product, Projected

TURKOGLU_2019 = Paper(
    key="turkoglu2019gating",
    authors="Turkoglu, Mehmet Ozgur and D'Aronco, Stefano and Wegner, Jan Dirk and Schindler, Konrad",
    title="Gating revisited: Deep multi-layer RNNs that can be trained",
    year=2019,
    arxiv="1911.11033",
)


def star_gate(hidden: Hidden, z: Float[jax.Array, "*B 2*H"], r: Hidden) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` `[..., 2 H]` and the recurrent product `r` `[..., H]`."""
    z_gate, z_new = jnp.split(z, 2, axis=-1)
    gate = sigmoid(z_gate + r.astype(z.dtype))
    update = gate * jnp.tanh(z_new)
    hidden = jnp.tanh((1 - gate).astype(hidden.dtype) * hidden + update.astype(hidden.dtype))
    return hidden, hidden.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class STAR(GatedHiddenCell):
    """Stackable recurrent cell; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 2 H]`, `input.bias [2 H]`, `recurrent.kernel [H, H]`.
    Parameters: (2 D + H + 2) H.

    Args:
        input_size: D.
        hidden_size: H.
        longest: the longest dependence to expect, in steps, for `initializers.chrono`; None starts b_k as zero.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, H / N]`.
    """

    input_size: int
    hidden_size: int
    longest: int | None = dataclasses.field(default=None, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (TURKOGLU_2019, TALLEC_2018)
    cut = True

    def __post_init__(self):
        super().__post_init__()
        if self.longest is not None:
            initializers.check_longest(self.longest)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, recurrent_key, bias_key = jax.random.split(key, 3)
        shape, square = (self.input_size, self.hidden_size), (self.hidden_size // self.heads,) * 2
        zeros = jnp.zeros(self.hidden_size, param_dtype)
        # The gate lets new values in, so its bias is that of a forget gate with the sign changed.
        gate = zeros
        if self.longest is not None:
            gate = -initializers.chrono(bias_key, self.hidden_size, self.longest, param_dtype)
        return {
            "input": {
                "kernel": initializers.per_gate(initializers.orthogonal, input_key, shape, 2, param_dtype),
                "bias": jnp.concatenate([gate, zeros]),
            },
            "recurrent": {
                "kernel": initializers.in_heads(
                    lambda key: initializers.orthogonal(key, square, param_dtype), recurrent_key, self.heads
                )
            },
        }

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return star_gate(carry, z, r)
