"""The delta rule: a memory that first forgets what it held under a key, then writes the new value.

    Sₜ = αₜ (I − βₜ kₜ kₜᵀ) Sₜ₋₁ + βₜ kₜ vₜᵀ,    yₜ = Sₜᵀ qₜ        for each head

    q = φ(W_qᵀ x),  k = φ(W_kᵀ x),  v = W_vᵀ x,  φ(a) = silu(a) / ‖silu(a)‖,  βₜ = σ(w_βᵀ xₜ)

    DeltaNet         αₜ = 1
    GatedDeltaNet    αₜ = exp(−exp(A) softplus(w_αᵀ xₜ + b_α))

With `negative_eigenvalues` β is twice as large, in (0, 2): I − β k kᵀ can then reflect, and a memory count modulo 2.

Schlag, Irie & Schmidhuber 2021, arXiv:2102.11174, with φ of Yang et al. 2024, arXiv:2406.06484; the gate: Yang, Kautz
& Hatamizadeh 2025, arXiv:2412.06464, with α as in Mamba-2; negative eigenvalues: Grazzi et al. 2025, arXiv:2411.12537.
The convolutions, the normalisation of the output, its gate and the last linear layer of the papers' blocks are left to
the block around a cell; v has no activation. In φ, 1e-6 is added to the squared length. Several steps a token:
delta_product.py. How steps are taken, one by one and many at once: delta_rule.py.

q, k, v, β and α are columns of one product, in this order, heads side by side within each. Kernels start
Glorot-uniform, exp(A) uniform in [1, 16] and b_α such that its softplus is log-uniform in [0.001, 0.1], as in Mamba-2.
"""

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import along_last, dense, sigmoid, widened
from rnn_jax.cells.linear.delta_rule import DeltaInputs, DeltaRule, delta_step, unit
from rnn_jax.cells.linear.s6 import GRAZZI_2025
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Inputs, Key, Params

SCHLAG_2021 = Paper(
    key="schlag2021linear",
    authors='Schlag, Imanol and Irie, Kazuki and Schmidhuber, J{\\"u}rgen',
    title="Linear transformers are secretly fast weight programmers",
    year=2021,
    booktitle="International Conference on Machine Learning",
    arxiv="2102.11174",
)
YANG_2024_DELTA = Paper(
    key="yang2024parallelizing",
    authors="Yang, Songlin and Wang, Bailin and Zhang, Yu and Shen, Yikang and Kim, Yoon",
    title="Parallelizing linear transformers with the delta rule over sequence length",
    year=2024,
    booktitle="Advances in Neural Information Processing Systems",
    arxiv="2406.06484",
)
YANG_2025 = Paper(
    key="yang2025gated",
    authors="Yang, Songlin and Kautz, Jan and Hatamizadeh, Ali",
    title="Gated delta networks: Improving Mamba2 with delta rule",
    year=2025,
    booktitle="International Conference on Learning Representations",
    arxiv="2412.06464",
)


def init_decay(rate_key: Key, bias_key: Key, rates: int, size: int, param_dtype: DType) -> dict[str, Any]:
    """What `log_decay` takes, as Mamba-2 starts it: `log_rate [rates]` (A) and `bias [size]` (b_α)."""
    rate = jax.random.uniform(rate_key, (rates,), minval=1.0, maxval=16.0)
    bias = initializers.softplus_bias(bias_key, size, 0.001, 0.1, param_dtype)
    return {"log_rate": jnp.log(rate).astype(param_dtype), "bias": bias}


def log_decay(gate: Float[jax.Array, "*B N"], decay: Params) -> Float[jax.Array, "*B N"]:
    """Log α = −exp(A) softplus(gate + b_α), in float32 or wider."""
    wide = widened(gate)
    step = jax.nn.softplus(wide + along_last(decay["bias"], wide))
    return -jnp.exp(along_last(decay["log_rate"], wide)) * step


class DeltaNetFamily(DeltaRule):
    """What is the same with and without a gate, with one step a token and with several."""

    negative_eigenvalues: bool
    householders: int = 1

    @property
    def column_sizes(self) -> tuple[int, ...]:
        """Columns of the input product: q, then k, v and β of each step."""
        keys, steps = self.heads * self.key_dim, self.householders
        return (keys,) * (1 + steps) + (self.hidden_size,) * steps + (self.heads,) * steps

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel = initializers.columns(initializers.glorot_uniform, key, self.input_size, self.column_sizes, param_dtype)
        return {"input": {"kernel": kernel}}

    def log_decays(self, params: Params, like: Float[jax.Array, "*B N"], rest: Any) -> Float[jax.Array, "*B N"]:
        """Log α of a token, in the shape of β, `like`, from the columns behind those of β."""
        return jnp.zeros_like(like)

    def project(self, params: Params, xs: Inputs) -> DeltaInputs:
        ends = list(itertools.accumulate(self.column_sizes))[:-1]
        query, *parts = jnp.split(dense(xs, **params["input"]), ends, axis=-1)
        count = self.householders
        keys, values, writes, rest = (parts[i * count : (i + 1) * count] for i in range(4))
        writes = [sigmoid(widened(write)) * (2 if self.negative_eigenvalues else 1) for write in writes]
        decays = [self.log_decays(params, writes[0], rest)]
        decays += [jnp.zeros_like(decays[0])] * (count - 1)  # a token decays once, before its steps
        keys = [unit(jax.nn.silu(self.by_head(key))) for key in keys]
        steps = (
            delta_step(key, self.by_head(value), write, decay[..., None])
            for key, value, write, decay in zip(keys, values, writes, decays, strict=True)
        )
        return DeltaInputs(unit(jax.nn.silu(self.by_head(query))), tuple(steps))


class GatedDeltaNetFamily(DeltaNetFamily):
    """With α."""

    @property
    def column_sizes(self) -> tuple[int, ...]:
        return (*super().column_sizes, self.heads)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, rate_key, bias_key = jax.random.split(key, 3)
        decay = init_decay(rate_key, bias_key, self.heads, self.heads, param_dtype)
        return super().init(input_key, param_dtype) | {"decay": decay}

    def log_decays(self, params: Params, like: Float[jax.Array, "*B N"], rest: Any) -> Float[jax.Array, "*B N"]:
        return log_decay(rest[0], params["decay"])


@dataclasses.dataclass(frozen=True)
class DeltaNet(DeltaNetFamily):
    """Linear attention with the delta rule; equations and sources at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 heads K + H + heads]`.
    Parameters: D (3 H + 1). That is with one head and K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
        negative_eigenvalues: whether β may reach 2 instead of 1.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    negative_eigenvalues: bool = dataclasses.field(default=False, kw_only=True)
    papers = (SCHLAG_2021, YANG_2024_DELTA, GRAZZI_2025)


@dataclasses.dataclass(frozen=True)
class GatedDeltaNet(GatedDeltaNetFamily):
    """The delta rule with a gate that can empty the memory; equations and sources at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 heads K + H + 2 heads]`, `decay.log_rate [heads]`
    (A), `decay.bias [heads]` (b_α). Parameters: D (3 H + 2) + 2. That is with one head and K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
        negative_eigenvalues: whether β may reach 2 instead of 1.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    negative_eigenvalues: bool = dataclasses.field(default=False, kw_only=True)
    papers = (YANG_2025, YANG_2024_DELTA, GRAZZI_2025)
