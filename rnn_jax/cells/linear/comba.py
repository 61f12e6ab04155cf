"""Comba: the gated delta rule as a controller in a closed loop, with feedback of its state and of its output.

    Sₜ = (αₜ I − b βₜ kₜ kₜᵀ) Sₜ₋₁ + βₜ kₜ vₜᵀ,    yₜ = Sₜᵀ (qₜ − d kₜ)        for each head

    q = φ(W_qᵀ x),  k = φ(W_kᵀ x),  v = W_vᵀ x,  φ(a) = silu(a) / ‖silu(a)‖,  βₜ = σ(w_βᵀ xₜ),  b = σ(b̂)

What is removed is looked up before the memory decays, and less is removed than is written; α as in GatedDeltaNet,
where φ and what is left to the block around a cell are told. Hu et al. 2025, arXiv:2506.02475, whose S is transposed.

The code of flash-linear-attention looks up b k, but normalises it afterwards, which takes b out again, and corrects q
by b k before it is normalised; its plain reference lets the memory decay first. Here the paper's equations hold.

q, k, v, β and α are columns of one product, in this order, heads side by side within each. Kernels start
Glorot-uniform, A and b_α as in GatedDeltaNet, b̂ and d as ones, as in that code.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import along_last, dense, sigmoid, widened
from rnn_jax.cells.linear.delta_rule import DeltaInputs, DeltaRule, DeltaStep, unit
from rnn_jax.cells.linear.deltanet import YANG_2025, init_decay, log_decay
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Inputs, Key, Params

HU_2025 = Paper(
    key="hu2025comba",
    authors="Hu, Jiaxi and Pan, Yongqi and Du, Jusen and Lan, Disen and Tang, Xiaqiang and Wen, Qingsong and Liang, "
    "Yuxuan and Sun, Weigao",
    title="Comba: Improving bilinear RNNs with closed-loop control",
    year=2025,
    booktitle="Advances in Neural Information Processing Systems",
    arxiv="2506.02475",
)


@dataclasses.dataclass(frozen=True)
class Comba(DeltaRule):
    """The gated delta rule in a closed loop; equations and source at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 heads K + H + 2 heads]`, `decay.log_rate [heads]`
    (A), `decay.bias [heads]` (b_α), `feedback.state [heads]` (b̂), `feedback.output [heads]` (d).
    Parameters: D (3 H + 2) + 4. That is with one head and K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    papers = (HU_2025, YANG_2025)

    @property
    def gate_sizes(self) -> tuple[int, ...]:
        return (self.heads, self.heads)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, rate_key, bias_key = jax.random.split(key, 3)
        return {
            "input": {"kernel": self.input_kernel(input_key, param_dtype)},
            "decay": init_decay(rate_key, bias_key, self.heads, self.heads, param_dtype),
            "feedback": {"state": jnp.ones(self.heads, param_dtype), "output": jnp.ones(self.heads, param_dtype)},
        }

    def project(self, params: Params, xs: Inputs) -> DeltaInputs:
        query, key, value, write, gate = self.split(dense(xs, **params["input"]))
        query, key = unit(jax.nn.silu(query)), unit(jax.nn.silu(key))
        write = sigmoid(widened(write))
        erase = write * sigmoid(along_last(params["feedback"]["state"], write))
        query = query - along_last(params["feedback"]["output"], query[..., 0])[..., None] * key
        kept, wide = log_decay(gate, params["decay"])[..., None], widened(key)
        step = DeltaStep(kept, wide, wide, erase[..., None], write[..., None] * widened(value))
        return DeltaInputs(query, (step,))
