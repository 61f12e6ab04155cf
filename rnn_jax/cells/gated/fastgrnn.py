"""Small recurrent networks for small devices: a weighted residual connection, and a gate that shares its matrices.

    h̃ₜ = φ(Wᵀ xₜ + Uᵀ hₜ₋₁ + b_h)
    hₜ = σ(α) h̃ₜ + σ(β) hₜ₋₁,    yₜ = hₜ                               `FastRNN`

    zₜ = σ(Wᵀ xₜ + Uᵀ hₜ₋₁ + b_z)
    hₜ = (σ(ζ) (1 − zₜ) + σ(ν)) ⊙ h̃ₜ + zₜ ⊙ hₜ₋₁,    yₜ = hₜ            `FastGRNN`

Kusupati et al. 2018, arXiv:1901.02358, sections 3.1 and 3.2: α, β, ζ, ν are scalars, gate and candidate differ in their
bias alone, and W = W₁ W₂ and U = U₁ U₂ may have low rank. The paper's sparse and quantized matrices are not here.

As in the authors' code (github.com/microsoft/EdgeML) α starts at −3, β at 3, ζ at 1, ν at −4 and biases at one. Kernels
and their factors start Glorot-uniform and orthogonal; there they are normal with standard deviation 0.1.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, HiddenCell, along_last, block_dense, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.simple.elman import ACTIVATIONS
from rnn_jax.checks import check_choice, check_size
from rnn_jax.typing import Array, DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

KUSUPATI_2018 = Paper(
    key="kusupati2018fastgrnn",
    authors="Kusupati, Aditya and Singh, Manish and Bhatia, Kush and Kumar, Ashish and Jain, Prateek and Varma, Manik",
    title="FastGRNN: A fast, accurate, stable and tiny kilobyte sized gated recurrent neural network",
    year=2018,
    booktitle="Advances in Neural Information Processing Systems",
    arxiv="1901.02358",
)


def fastrnn_gate(
    hidden: Hidden, z: Hidden, r: Hidden, alpha: Float[Array, ""], beta: Float[Array, ""], activation: str
) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z` and the recurrent product `r`, both `[..., H]`; α and β are scalars."""
    new = ACTIVATIONS[activation](z + r.astype(z.dtype))
    keep, write = (sigmoid(jnp.asarray(scalar, hidden.dtype)) for scalar in (beta, alpha))
    hidden = keep * hidden + write * new.astype(hidden.dtype)
    return hidden, hidden.astype(z.dtype)


def fastgrnn_gate(
    hidden: Hidden,
    z: Hidden,
    r: Hidden,
    bias: Float[Array, "2*H"],
    zeta: Float[Array, ""],
    nu: Float[Array, ""],
    activation: str,
) -> tuple[Hidden, Output]:
    """hₜ and yₜ from `z` and `r`, both `[..., H]`; the bias is `[2 H]`, ζ and ν are scalars."""
    total = z + r.astype(z.dtype)
    gate_bias, candidate_bias = jnp.split(along_last(bias, total), 2, axis=-1)
    keep = sigmoid(total + gate_bias)
    scale, shift = (sigmoid(jnp.asarray(scalar, z.dtype)) for scalar in (zeta, nu))
    update = (scale * (1 - keep) + shift) * ACTIVATIONS[activation](total + candidate_bias)
    hidden = keep.astype(hidden.dtype) * hidden + update.astype(hidden.dtype)
    return hidden, hidden.astype(z.dtype)


def low_rank_dense(
    x: Inputs,
    kernel: Float[Array, "*N R _"],
    bias: Float[Array, "H"] | None = None,
    reduce: Float[Array, "D R"] | None = None,
) -> Output:
    """`x @ kernel + bias`, or `x @ reduce @ kernel + bias` where the kernel has two factors; it may have heads."""
    y = block_dense(x if reduce is None else dense(x, reduce), kernel)
    return y if bias is None else y + along_last(bias, y)


class _LowRankCell(HiddenCell, GatedCell):
    """What both cells share: one product for the input, one for the hidden state, each of full or low rank."""

    input_size: int
    hidden_size: int
    activation: str
    input_rank: int | None
    recurrent_rank: int | None

    def __post_init__(self):
        super().__post_init__()
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        for name in ("input_rank", "recurrent_rank"):
            if getattr(self, name) is not None:
                check_size(name, getattr(self, name))
        if self.heads > 1 and self.recurrent_rank is not None:
            raise ValueError(f"heads={self.heads} with recurrent_rank={self.recurrent_rank}: leave one of them")

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, recurrent_key = jax.random.split(key)
        shape, square = (self.input_size, self.hidden_size), (self.hidden_size // self.heads,) * 2
        orthogonal, rank = initializers.orthogonal, self.recurrent_rank
        return {
            "input": _factors(initializers.glorot_uniform, input_key, shape, self.input_rank, param_dtype),
            "recurrent": _factors(orthogonal, recurrent_key, square, rank, param_dtype, self.heads),
        }

    def project(self, params: Params, xs: Inputs) -> Projected:
        return low_rank_dense(xs, **params["input"])

    def recur(self, params: Params, carry: Hidden) -> Product:
        return low_rank_dense(carry, **params["recurrent"])


def _factors(
    initializer, key: jax.Array, shape: tuple[int, int], rank: int | None, dtype: DType, heads: int = 1
) -> Params:
    if rank is None:
        return {"kernel": initializers.in_heads(lambda key: initializer(key, shape, dtype), key, heads)}
    reduce_key, kernel_key = jax.random.split(key)
    return {
        "reduce": initializer(reduce_key, (shape[0], rank), dtype),
        "kernel": initializer(kernel_key, (rank, shape[1]), dtype),
    }


@dataclasses.dataclass(frozen=True)
class FastRNN(_LowRankCell):
    """Plain recurrent cell with a weighted residual connection; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]`, `recurrent.kernel [H, H]`, `residual.alpha []`,
    `residual.beta []`; of rank R `input.reduce [D, R]` and `input.kernel [R, H]`, `recurrent` alike.
    Parameters: (D + H + 1) H + 2.

    Args:
        input_size: D.
        hidden_size: H.
        activation: φ, "tanh" or "relu".
        input_rank: of W; None for the full rank.
        recurrent_rank: of U; None for the full rank.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, H / N]`.

    Raises:
        ValueError: heads with a recurrent_rank, whose first factor would be for all heads.
    """

    input_size: int
    hidden_size: int
    activation: str = dataclasses.field(default="tanh", kw_only=True)
    input_rank: int | None = dataclasses.field(default=None, kw_only=True)
    recurrent_rank: int | None = dataclasses.field(default=None, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (KUSUPATI_2018,)
    additive = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = super().init(key, param_dtype)
        params["input"]["bias"] = jnp.ones(self.hidden_size, param_dtype)
        params["residual"] = {"alpha": jnp.asarray(-3.0, param_dtype), "beta": jnp.asarray(3.0, param_dtype)}
        return params

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return fastrnn_gate(carry, z, r, **params["residual"], activation=self.activation)


@dataclasses.dataclass(frozen=True)
class FastGRNN(_LowRankCell):
    """Gated cell whose gate and candidate share their matrices; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `recurrent.kernel [H, H]`, `gate.bias [2 H]` (b_z, b_h),
    `gate.zeta []`, `gate.nu []`; of rank R `input.reduce [D, R]` and `input.kernel [R, H]`, `recurrent` alike.
    Parameters: (D + H + 2) H + 2.

    Args:
        input_size: D.
        hidden_size: H.
        activation: φ, "tanh" or "relu".
        input_rank: of W; None for the full rank.
        recurrent_rank: of U; None for the full rank.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, H / N]`.

    Raises:
        ValueError: heads with a recurrent_rank, whose first factor would be for all heads.
    """

    input_size: int
    hidden_size: int
    activation: str = dataclasses.field(default="tanh", kw_only=True)
    input_rank: int | None = dataclasses.field(default=None, kw_only=True)
    recurrent_rank: int | None = dataclasses.field(default=None, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (KUSUPATI_2018,)
    additive = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        params = super().init(key, param_dtype)
        params["gate"] = {
            "bias": jnp.ones(2 * self.hidden_size, param_dtype),
            "zeta": jnp.asarray(1.0, param_dtype),
            "nu": jnp.asarray(-4.0, param_dtype),
        }
        return params

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return fastgrnn_gate(carry, z, r, **params["gate"], activation=self.activation)
