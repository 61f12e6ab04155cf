"""The simple recurrent unit: gates see the cell state one by one, so that a step has no matrix product.

    fₜ = σ(W_fᵀ xₜ + v_f ⊙ cₜ₋₁ + b_f)        cₜ = fₜ ⊙ cₜ₋₁ + (1 − fₜ) ⊙ Wᵀ xₜ
    rₜ = σ(W_rᵀ xₜ + v_r ⊙ cₜ₋₁ + b_r)        yₜ = rₜ ⊙ cₜ + (1 − rₜ) ⊙ α xₜ

Lei, Zhang, Wang, Dai & Artzi 2018, arXiv:1709.02755, in its final form, with v ⊙ c in the gates. The highway
term α xₜ has α = √(1 + 2 exp(b)), b being where b_r starts; where D ≠ H it is a fourth product W_hᵀ xₜ instead, whose
kernel starts α times as large.

Kernels stand side by side in the order candidate (W), f, r, highway (W_h, if any); b and v in the order f, r.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, along_last, dense, interpolate, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_number
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

LEI_2018 = Paper(
    key="lei2018simple",
    authors="Lei, Tao and Zhang, Yu and Wang, Sida I. and Dai, Hui and Artzi, Yoav",
    title="Simple recurrent units for highly parallelizable recurrence",
    year=2018,
    booktitle="Empirical Methods in Natural Language Processing",
    arxiv="1709.02755",
)


def sru_gate(cell: Hidden, z: Float[jax.Array, "*B 4*H"], r: Float[jax.Array, "*B 2*H"]) -> tuple[Hidden, Output]:
    """cₜ `[..., H]` and yₜ from the projected input `z [..., 4 H]` and `r [..., 2 H]`: v_f ⊙ cₜ₋₁, v_r ⊙ cₜ₋₁."""
    candidate, z_forget, z_reset, highway = jnp.split(z, 4, axis=-1)
    r_forget, r_reset = jnp.split(r.astype(z.dtype), 2, axis=-1)
    cell, y = interpolate(cell, sigmoid(z_forget + r_forget), candidate)
    return cell, highway + sigmoid(z_reset + r_reset) * (y - highway)


@dataclasses.dataclass(frozen=True)
class SRU(GatedCell):
    """Simple recurrent unit; equations and source at the top of this file.

    Carry: cₜ `[B, H]`. Params: `input.kernel [D, K H]`, `input.bias [2 H]`, `recurrent.weight [2 H]` (v).
    Parameters: (K D + 4) H.

    Kernels start uniform with variance 1 / D, v uniform with variance 1, those of the two gates and v scaled by √½.

    Args:
        input_size: D.
        hidden_size: H.
        highway_bias: what b_r starts as; below zero, layers start nearer to the identity.

    Attributes:
        kernels: K, 3 where D = H, otherwise 4.
        highway_scale: α.
    """

    input_size: int
    hidden_size: int
    highway_bias: float = dataclasses.field(default=0.0, kw_only=True)
    papers = (LEI_2018,)
    cut = True

    def __post_init__(self):
        super().__post_init__()
        check_number("highway_bias", self.highway_bias)

    @property
    def kernels(self) -> int:
        return 3 if self.input_size == self.hidden_size else 4

    @property
    def highway_scale(self) -> float:
        return math.sqrt(1 + 2 * math.exp(self.highway_bias))

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, weight_key = jax.random.split(key)
        shape = (self.input_size, self.hidden_size)
        scales = (1.0, math.sqrt(0.5), math.sqrt(0.5), self.highway_scale)[: self.kernels]
        keys = jax.random.split(kernel_key, self.kernels)
        kernels = [s * _uniform(k, shape, 1 / self.input_size) for s, k in zip(scales, keys, strict=True)]
        bias = initializers.gate_bias((0.0, self.highway_bias), self.hidden_size)
        params = {
            "input": {"kernel": jnp.concatenate(kernels, axis=1), "bias": bias},
            "recurrent": {"weight": _uniform(weight_key, (2 * self.hidden_size,), 0.5)},
        }
        return jax.tree.map(lambda leaf: leaf.astype(param_dtype), params)

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Hidden:
        return jnp.zeros((*batch_shape, self.hidden_size), dtype)

    def project(self, params: Params, xs: Inputs) -> Projected:
        products = dense(xs, params["input"]["kernel"])
        candidate, gates, highway = jnp.split(products, [self.hidden_size, 3 * self.hidden_size], axis=-1)
        gates = gates + along_last(params["input"]["bias"], gates)
        if self.kernels == 3:
            highway = self.highway_scale * jnp.asarray(xs)
        return jnp.concatenate([candidate, gates, highway], axis=-1)

    def recur(self, params: Params, carry: Hidden) -> Product:
        return along_last(params["recurrent"]["weight"], carry) * jnp.concatenate([carry, carry], axis=-1)

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return sru_gate(carry, z, r)


def _uniform(key: jax.Array, shape: tuple[int, ...], variance: float) -> jax.Array:
    bound = math.sqrt(3 * variance)
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)
