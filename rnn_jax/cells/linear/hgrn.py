"""HGRN, the hierarchically gated recurrent network: a linear unit whose forget gate cannot fall below a bound.

    fₜ = γ + (1 − γ) ⊙ σ(W_fᵀ xₜ + b_f)
    hₜ = fₜ ⊙ e^(iθ) ⊙ hₜ₋₁ + (1 − fₜ) ⊙ cₜ,    yₜ = [Re hₜ, Im hₜ]

    Re cₜ = silu(W_rᵀ xₜ + b_r),    Im cₜ = silu(W_iᵀ xₜ + b_i)

hₜ is complex, H numbers, so an output has 2 H. The rotation by θ is the same at all steps. f is λ in the paper.

Qin, Yang & Zhong 2023, arXiv:2311.04823. There γ rises from layer to layer: those of L layers are learned as
cumulative sums of one softmax over the layers, which starts them at (k − 1) / L in layer k, the first being zero for
good. Here a layer has its own: γ = σ(Γ) is learned where `lower_bound`, what it starts as, is above zero, and else
zero. The gate [Re h, Im h] is multiplied by, the normalisation and the linear layer back to H are left to the block
around the cell. flash-linear-attention has the real unit, which is this one with θ = 0 and Im c = 0.

Columns are r, i, f in this order (the authors' code has r and i in turn). θ starts as 10000^(−2 j / H) for unit j from
0, as in that code; where the paper is silent: kernels start Glorot-uniform, biases zero.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import along_last, dense, sigmoid, widened
from rnn_jax.cells.linear.base import Affine, Complex, ComplexDiagonalCell
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_rate
from rnn_jax.typing import Array, DType, Float, Hidden, Inputs, Key, Output, Params, Projected

QIN_2023 = Paper(
    key="qin2023hierarchically",
    authors="Qin, Zhen and Yang, Songlin and Zhong, Yiran",
    title="Hierarchically gated recurrent neural network for sequence modeling",
    year=2023,
    booktitle="Advances in Neural Information Processing Systems",
    arxiv="2311.04823",
)


def forget_gate(logit: Hidden, bound: Float[Array, "H"] | None) -> tuple[Hidden, Hidden]:
    """F = γ + (1 − γ) σ(logit) and 1 − f, for logits `[..., H]`; γ is σ(bound), or zero where there is none."""
    if bound is None:
        return sigmoid(logit), sigmoid(-logit)
    bound = along_last(bound, logit)
    return sigmoid(bound) + sigmoid(-bound) * sigmoid(logit), sigmoid(-bound) * sigmoid(-logit)


def initial_bound(lower_bound: float, size: int, param_dtype: DType) -> Params:
    """Γ `[size]` such that σ(Γ) is `lower_bound`, as `recurrent.bound`; nothing where it is zero."""
    if lower_bound == 0:
        return {}
    return {"bound": jnp.full(size, math.log(lower_bound / (1 - lower_bound)), param_dtype)}


@dataclasses.dataclass(frozen=True)
class HGRN(ComplexDiagonalCell):
    """Complex linear unit with a bounded forget gate; equations and source at the top of this file.

    Carry: hₜ, `Complex(real [B, H], imaginary [B, H])`; outputs are `[B, 2 H]`. Params: `input.kernel [D, 3 H]`,
    `input.bias [3 H]`, `recurrent.phase [H]` (θ) and, with a lower bound, `recurrent.bound [H]` (Γ).
    Parameters: 3 (D + 1) H + H.

    Args:
        input_size: D.
        hidden_size: H.
        lower_bound: what γ starts as, 0 <= γ < 1. Zero stays zero.
    """

    input_size: int
    hidden_size: int
    lower_bound: float = dataclasses.field(default=0.0, kw_only=True)
    papers = (QIN_2023,)

    def __post_init__(self):
        super().__post_init__()
        check_rate("lower_bound", self.lower_bound)

    @property
    def output_size(self) -> int:
        return 2 * self.hidden_size

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        size = self.hidden_size
        shape = (self.input_size, size)
        phase = 10000.0 ** (-2 / size * jnp.arange(size, dtype=jnp.float32))
        return {
            "input": {
                "kernel": initializers.per_gate(initializers.glorot_uniform, key, shape, 3, param_dtype),
                "bias": jnp.zeros(3 * size, param_dtype),
            },
            "recurrent": {"phase": phase.astype(param_dtype)} | initial_bound(self.lower_bound, size, param_dtype),
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Complex:
        return Complex.zeros((*batch_shape, self.hidden_size), dtype)

    def prepare(self, params: Params) -> Params:
        if "rotation" in params:
            return params
        phase = widened(params["recurrent"]["phase"])
        return params | {"rotation": Complex(jnp.cos(phase), jnp.sin(phase))}

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, **params["input"])

    def elements(self, params: Params, z: Projected) -> Affine:
        real, imaginary, logit = jnp.split(widened(z), 3, axis=-1)
        keep, write = forget_gate(logit, params["recurrent"].get("bound"))
        rotation = Complex(*(along_last(part, keep) for part in self.prepare(params)["rotation"]))
        decay = Complex(keep * rotation.real, keep * rotation.imaginary)
        return Affine(decay, Complex(write * jax.nn.silu(real), write * jax.nn.silu(imaginary)))

    def read(self, params: Params, carry: Complex, z: Projected) -> Output:
        return self.output(carry).astype(z.dtype)

    def output(self, carry: Complex) -> Output:
        return jnp.concatenate([*carry], axis=-1)
