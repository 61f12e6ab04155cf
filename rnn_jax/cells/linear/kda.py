"""Kimi delta attention: the gated delta rule with a decay for each entry of a key.

    Sₜ = (I − βₜ kₜ kₜᵀ) Diag(αₜ) Sₜ₋₁ + βₜ kₜ vₜᵀ,    yₜ = Sₜᵀ qₜ        for each head

    q = φ(W_qᵀ x),  k = φ(W_kᵀ x),  v = W_vᵀ x,  φ(a) = silu(a) / ‖silu(a)‖,  βₜ = σ(w_βᵀ xₜ)
    αₜ = exp(−exp(A) softplus(W_αᵀ W_rᵀ xₜ + b_α)),    A one number a head, the rest one for each entry of its keys

Kimi Team (Zhang et al.) 2025, arXiv:2510.26692: channel-wise gates as in GLA, on the rule of GatedDeltaNet, where φ, α
and what is left to the block around a cell are told. The code of flash-linear-attention divides q by √K besides; the
report does not, and its normalisation of the output takes it out again.

q, k, v, β and W_rᵀ x are columns of one product, in this order, heads side by side within each. Kernels start
Glorot-uniform, A and b_α as in GatedDeltaNet (that code has started b_α at zero, where little is remembered).
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import dense, sigmoid, widened
from rnn_jax.cells.linear.delta_rule import DeltaInputs, DeltaRule, delta_step, unit
from rnn_jax.cells.linear.deltanet import YANG_2025, init_decay, log_decay
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_size
from rnn_jax.typing import DType, Inputs, Key, Params

KIMI_2025 = Paper(
    key="kimi2025linear",
    authors="Zhang, Yu and Lin, Zongyu and Yao, Xingcheng and Hu, Jiaxi and Meng, Fanqing and others",
    title="Kimi Linear: An expressive, efficient attention architecture",
    year=2025,
    arxiv="2510.26692",
)


@dataclasses.dataclass(frozen=True)
class KDA(DeltaRule):
    """Kimi delta attention; equations and source at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 heads K + H + heads + R]`,
    `decay.kernel [R, heads K]` (W_α), `decay.log_rate [heads]` (A), `decay.bias [heads K]` (b_α).
    Parameters: D (4 H + 1) + (H + 1) H + 1. That is with one head and K = R = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
        rank: how many numbers the decays are made of, R; None is K.
        negative_eigenvalues: whether β may reach 2 instead of 1.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    rank: int | None = dataclasses.field(default=None, kw_only=True)
    negative_eigenvalues: bool = dataclasses.field(default=False, kw_only=True)
    papers = (KIMI_2025, YANG_2025)

    def __post_init__(self):
        super().__post_init__()
        check_size("rank", self.decay_rank)

    @property
    def decay_rank(self) -> int:
        """R."""
        return self.key_dim if self.rank is None else self.rank

    @property
    def gate_sizes(self) -> tuple[int, ...]:
        return (self.heads, self.decay_rank)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, kernel_key, rate_key, bias_key = jax.random.split(key, 4)
        channels = self.heads * self.key_dim
        kernel = initializers.glorot_uniform(kernel_key, (self.decay_rank, channels), param_dtype)
        return {
            "input": {"kernel": self.input_kernel(input_key, param_dtype)},
            "decay": {"kernel": kernel} | init_decay(rate_key, bias_key, self.heads, channels, param_dtype),
        }

    def project(self, params: Params, xs: Inputs) -> DeltaInputs:
        query, key, value, write, gate = self.split(dense(xs, **params["input"]))
        decay = params["decay"] | {"log_rate": jnp.repeat(params["decay"]["log_rate"], self.key_dim)}
        kept = self.by_head(log_decay(dense(widened(gate), decay["kernel"]), decay))
        write = sigmoid(widened(write)) * (2 if self.negative_eigenvalues else 1)
        step = delta_step(unit(jax.nn.silu(key)), value, write, kept)
        return DeltaInputs(unit(jax.nn.silu(query)), (step,))
