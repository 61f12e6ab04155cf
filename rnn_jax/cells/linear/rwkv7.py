"""The recurrence of RWKV-7: a delta rule that forgets, removes and writes each in its own way.

    Sₜ = (Diag(wₜ) − (aₜ ⊙ κ̂ₜ) κ̂ₜᵀ) Sₜ₋₁ + k̃ₜ vₜᵀ,    yₜ = Sₜᵀ rₜ        for each head

    r = W_rᵀ x,  k = W_kᵀ x,  v = W_vᵀ x,  κ̂ = (k ⊙ ξ) / ‖k ⊙ ξ‖,  k̃ = k ⊙ (1 + (a − 1) ⊙ α)
    w = exp(−e^(−1/2) σ(W_wᵀ tanh(W_dᵀ x) + b_w)),    a = σ(W_aᵀ W_lᵀ x + b_a)

w, the decay, a, the rate of learning in context, κ̂, the key that is removed, and k̃, the key that replaces it, have a
number for each entry of a key; S is the transpose of the paper's state. As w > 0.54, a < 1 and the transition is
similar to the symmetric Diag(w) − (√a ⊙ κ̂) (√a ⊙ κ̂)ᵀ, its eigenvalues are real, below 1 and above −0.46: few of them
can be negative. Peng et al. 2025, arXiv:2503.14456, section 4.

Not here, for they belong to the block around a cell: the shift of tokens, the mix of v with that of the first layer,
the normalisation of the output, the bonus of the current token and the gate. In κ̂, 1e-6 is added to the squared length.

r, k, v, W_dᵀ x and W_lᵀ x are columns of one product, in this order, heads side by side within each. Kernels start
Glorot-uniform, ξ and α as ones, b_a as zero, b_w evenly from −5.5 to 0.5 over the channels, so that memories of all
lengths are there. The authors' code starts the first kernel of w and of a at zero, ξ near 0.7 and α at 1.02, and adds a
pattern within each head to b_w and b_a, some of it by the depth of the layer.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import along_last, dense, sigmoid, widened
from rnn_jax.cells.linear.delta_rule import DeltaInputs, DeltaRule, DeltaStep, unit
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_size
from rnn_jax.typing import DType, Inputs, Key, Params

PENG_2025 = Paper(
    key="peng2025rwkv7",
    authors="Peng, Bo and Zhang, Ruichong and Goldstein, Daniel and Alcaide, Eric and Du, Xingjian and Hou, Haowen and "
    "Lin, Jiaju and Liu, Jiaxing and Lu, Janna and Merrill, William and Song, Guangyu and Tan, Kaifeng and Utpala, "
    "Saiteja and Wilce, Nathan and Wind, Johan S. and Wu, Tianyi and Wuttke, Daniel and Zhou-Zheng, Christian",
    title='RWKV-7 "Goose" with expressive dynamic state evolution',
    year=2025,
    arxiv="2503.14456",
)


@dataclasses.dataclass(frozen=True)
class RWKV7(DeltaRule):
    """The recurrence of RWKV-7; equations and source at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 heads K + H + 2 R]`; `decay.kernel [R, heads K]`,
    `decay.bias [heads K]` (W_w, b_w); `rate.kernel`, `rate.bias` (W_a, b_a); `removal.scale [heads K]` (ξ),
    `replacement.scale [heads K]` (α). Parameters: 3 D H + 2 D R + (2 R + 4) H. That is with heads K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
        rank: R, numbers that w is made of, and as many for a.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    rank: int = dataclasses.field(default=16, kw_only=True)
    papers = (PENG_2025,)
    chunk_size = 16

    def __post_init__(self):
        super().__post_init__()
        check_size("rank", self.rank)

    @property
    def gate_sizes(self) -> tuple[int, ...]:
        return (self.rank, self.rank)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, decay_key, rate_key = jax.random.split(key, 3)
        channels = self.heads * self.key_dim
        shape = (self.rank, channels)
        return {
            "input": {"kernel": self.input_kernel(input_key, param_dtype)},
            "decay": {
                "kernel": initializers.glorot_uniform(decay_key, shape, param_dtype),
                "bias": jnp.linspace(-5.5, 0.5, channels, dtype=jnp.float32).astype(param_dtype),
            },
            "rate": {
                "kernel": initializers.glorot_uniform(rate_key, shape, param_dtype),
                "bias": jnp.zeros(channels, param_dtype),
            },
            "removal": {"scale": jnp.ones(channels, param_dtype)},
            "replacement": {"scale": jnp.ones(channels, param_dtype)},
        }

    def project(self, params: Params, xs: Inputs) -> DeltaInputs:
        query, key, value, decay, rate = self.split(dense(xs, **params["input"]))
        log_decay = -math.exp(-0.5) * sigmoid(self.by_head(dense(jnp.tanh(widened(decay)), **params["decay"])))
        rate = sigmoid(self.by_head(dense(widened(rate), **params["rate"])))
        key, value, scales = widened(key), widened(value), {}
        for name in ("removal", "replacement"):
            scales[name] = along_last(params[name]["scale"].reshape(key.shape[-2:]), key)
        removed = unit(key * scales["removal"])
        written = key * (1 + (rate - 1) * scales["replacement"])
        one, none = jnp.ones_like(key[..., :1]), jnp.zeros_like(key[..., :1])
        remove = DeltaStep(log_decay, removed, rate * removed, one, jnp.zeros_like(value))
        write = DeltaStep(jnp.zeros_like(key), jnp.zeros_like(key), written, none, value)
        return DeltaInputs(query, (remove, write))
