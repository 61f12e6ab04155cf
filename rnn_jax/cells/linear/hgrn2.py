"""HGRN2: the forget gate of HGRN over the rows of a matrix, with which no parameter more holds many more numbers.

    Sₜ = diag(fₜ) Sₜ₋₁ + (1 − fₜ) iₜᵀ,    yₜ = Sₜᵀ oₜ        for each head

    oₜ = σ(W_oᵀ xₜ + b_o),    fₜ = γ + (1 − γ) ⊙ σ(W_fᵀ xₜ + b_f),    iₜ = silu(W_iᵀ xₜ + b_i)

That is gated linear attention with a query o, a value i, and a key that is one minus the decay. Each row of S is a
weighted average of what was written, so no entry exceeds the largest i.

Qin, Yang, Sun, Shen, Li, Sun & Zhong 2024, arXiv:2404.07904, equation 3; γ, its option `lower_bound` and what the
paper does with it are those of `HGRN`. All numbers are real, as in the paper. flash-linear-attention has silu for σ in
o, no function in i, no biases, and divides o by √K.

The normalisation and the last linear layer are left to the block around the cell. o, f and i are columns of one
product, in this order, heads side by side within each. Kernels start Glorot-uniform, biases zero.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import dense, sigmoid, widened
from rnn_jax.cells.linear.hgrn import forget_gate, initial_bound
from rnn_jax.cells.linear.linear_attention import Association, LinearAttention
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_rate
from rnn_jax.typing import DType, Inputs, Key, Params

QIN_2024 = Paper(
    key="qin2024hgrn2",
    authors="Qin, Zhen and Yang, Songlin and Sun, Weixuan and Shen, Xuyang and Li, Dong and Sun, Weigao and Zhong, "
    "Yiran",
    title="HGRN2: Gated linear RNNs with state expansion",
    year=2024,
    booktitle="Conference on Language Modeling",
    arxiv="2404.07904",
)


@dataclasses.dataclass(frozen=True)
class HGRN2(LinearAttention):
    """Linear attention whose keys are what its forget gate lets go; equations and source at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 heads K + H]`, `input.bias [2 heads K + H]` and,
    with a lower bound, `recurrent.bound [heads K]` (Γ). Parameters: 3 (D + 1) H. That is with heads K = H, as by
    default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, rows of one head's memory; None is H / heads.
        lower_bound: what γ starts as, 0 <= γ < 1. Zero stays zero.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    lower_bound: float = dataclasses.field(default=0.0, kw_only=True)
    papers = (QIN_2024,)

    def __post_init__(self):
        super().__post_init__()
        check_rate("lower_bound", self.lower_bound)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel = self.input_kernel(key, param_dtype)
        bound = initial_bound(self.lower_bound, self.heads * self.key_dim, param_dtype)
        params = {"input": {"kernel": kernel, "bias": jnp.zeros(kernel.shape[1], param_dtype)}}
        return params | ({"recurrent": bound} if bound else {})

    def project(self, params: Params, xs: Inputs) -> Association:
        output, forget, value = self.split(dense(xs, **params["input"]))
        logit = widened(forget).reshape(*forget.shape[:-2], self.heads * self.key_dim)
        gates = forget_gate(logit, params.get("recurrent", {}).get("bound"))
        decay, key = (gate.reshape(forget.shape) for gate in gates)
        return Association(sigmoid(output), key, jax.nn.silu(value), decay)
