"""The closed-form continuous-time network: a gate that time closes, between two states that a network proposes.

    aₜ = φ(Wᵀ xₜ + Uᵀ hₜ₋₁ + b), then through any further layers of the backbone
    fₜ = W_fᵀ aₜ + b_f,    gₜ = tanh(W_gᵀ aₜ + b_g),    sₜ = tanh(W_sᵀ aₜ + b_s)
    hₜ = σ(−fₜ dt) ⊙ gₜ + (1 − σ(−fₜ dt)) ⊙ sₜ,    yₜ = hₜ,    φ(a) = 1.7159 tanh(2 a / 3)

Hasani et al. 2022, arXiv:2106.13898, the gated form with a backbone that f, g and s (its h) share. It is not a solver:
the last state enters through the backbone alone, and two steps are not one of twice the time. With dt near 0 the gate
is half open, with a long one hₜ is g or s. The authors' code adds the output of a fourth head to −f dt inside of the
gate, which the paper has not, nor has this.

Heads stand side by side in the order f, g, s. Kernels start Glorot-uniform, as in the authors' code, biases zero.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import HiddenCell, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart, duration
from rnn_jax.checks import check_size
from rnn_jax.typing import DType, Float, Hidden, Key, Output, Params, Projected

HASANI_2022 = Paper(
    key="hasani2022closed",
    authors="Hasani, Ramin and Lechner, Mathias and Amini, Alexander and Liebenwein, Lucas and Ray, Aaron and "
    "Tschaikowski, Max and Teschl, Gerald and Rus, Daniela",
    title="Closed-form continuous-time neural networks",
    year=2022,
    journal="Nature Machine Intelligence",
    arxiv="2106.13898",
)


def lecun_tanh(a: Projected) -> Projected:
    """φ: ±1 are mapped to ±1, where its second derivative is largest; LeCun et al. 1998, "Efficient BackProp"."""
    return 1.7159 * jnp.tanh(2 / 3 * a)


def cfc_step(params: Params, hidden: Hidden, z: Projected, dt: Float[jax.Array, "*B"] | None) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z [..., M]` of the backbone's first layer."""
    a = lecun_tanh(z + dense(hidden, params["recurrent"]["kernel"]).astype(z.dtype))
    for i in range(1, len(params.get("backbone", {})) + 1):
        a = lecun_tanh(dense(a, **params["backbone"][f"layer_{i}"]))
    f, g, s = jnp.split(dense(a, **params["output"]), 3, axis=-1)
    g, s = jnp.tanh(g), jnp.tanh(s)
    y = s + sigmoid(-f * duration(dt, f)) * (g - s)
    return y.astype(hidden.dtype), y


@dataclasses.dataclass(frozen=True)
class CfC(HiddenCell):
    """Closed-form continuous-time network; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, M]`, `input.bias [M]`, `recurrent.kernel [H, M]`,
    `output.kernel [M, 3 H]`, `output.bias [3 H]`, and `backbone.layer_1.{kernel [M, M], bias [M]}` and so on for more
    than one layer. Parameters: (D + H + 1) M + 3 (M + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        backbone_size: M, units of each layer of the backbone.
        backbone_layers: how many layers the backbone has, the first of which reads input and state.
    """

    input_size: int
    hidden_size: int
    backbone_size: int = dataclasses.field(default=128, kw_only=True)
    backbone_layers: int = dataclasses.field(default=1, kw_only=True)
    papers = (HASANI_2022,)
    timed = True

    def __post_init__(self):
        super().__post_init__()
        check_size("backbone_size", self.backbone_size)
        check_size("backbone_layers", self.backbone_layers)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        size, read = self.backbone_size, self.input_size + self.hidden_size
        first_key, heads_key, *keys = jax.random.split(key, 1 + self.backbone_layers)
        glorot = initializers.glorot_uniform
        kernel = glorot(first_key, (read, size), param_dtype)
        heads = initializers.per_gate(glorot, heads_key, (size, self.hidden_size), 3, param_dtype)
        bias = jnp.zeros(size, param_dtype)
        params = {
            "input": {"kernel": kernel[: self.input_size], "bias": bias},
            "recurrent": {"kernel": kernel[self.input_size :]},
            "output": {"kernel": heads, "bias": jnp.zeros(3 * self.hidden_size, param_dtype)},
        }
        layers = [{"kernel": glorot(k, (size, size), param_dtype), "bias": bias} for k in keys]
        return params | ({"backbone": {f"layer_{i + 1}": layer for i, layer in enumerate(layers)}} if layers else {})

    def step(self, params: Params, carry: Hidden, z: Projected | Timed) -> tuple[Hidden, Output]:
        return cfc_step(params, carry, *apart(z))
