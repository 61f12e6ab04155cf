"""Linear attention: a matrix that keys and values are written to as outer products, and queries read.

    Sₜ = decay ⊙ Sₜ₋₁ + kₜ vₜᵀ,    yₜ = Sₜᵀ qₜ / √K        for each head; K is the size of a key

    RetNet    decay = γ_h = 1 − 2^(−5 − h), h from 0: one constant a head
    GLA       decay = αₜ 1ᵀ,  αₜ = σ(W_αᵀ W_rᵀ xₜ + b_α)^(1 / τ): one a row of S, chosen by the input, τ = 16

Retention: Sun et al. 2023, arXiv:2307.08621, section 2.1. The rotation of queries and keys by their position (xPos) is
left out, so γ is real. Gated linear attention: Yang et al. 2024, arXiv:2312.06635, section 4.

Both papers put a normalisation of each head, a gate and a linear layer behind this; they belong to the block around a
cell. q, k and v (and W_rᵀ x) are columns of one product, in this order, heads side by side within each. All kernels
start Glorot-uniform, b_α zero. `LinearAttention` is what the two share with the cells of `mamba2`, `hgrn2` and `rwkv6`.
"""

import dataclasses
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import dense, widened
from rnn_jax.cells.linear import chunks
from rnn_jax.cells.linear.base import Affine, DiagonalCell, LinearCell
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_divisor, check_size
from rnn_jax.typing import Bool, DType, Float, Inputs, Key, Output, Params, Projected, at_least_float32

SUN_2023 = Paper(
    key="sun2023retentive",
    authors="Sun, Yutao and Dong, Li and Huang, Shaohan and Ma, Shuming and Xia, Yuqing and Xue, Jilong and Wang, "
    "Jianyong and Wei, Furu",
    title="Retentive network: A successor to transformer for large language models",
    year=2023,
    arxiv="2307.08621",
)
YANG_2024 = Paper(
    key="yang2024gated",
    authors="Yang, Songlin and Wang, Bailin and Shen, Yikang and Panda, Rameswar and Kim, Yoon",
    title="Gated linear attention transformers with hardware-efficient training",
    year=2024,
    booktitle="International Conference on Machine Learning",
    arxiv="2312.06635",
)
TEMPERATURE = 16.0
"""τ of GLA."""

Memory = Float[jax.Array, "*B N K V"]
"""A matrix S for each of N heads."""


class Association(NamedTuple):
    """What one step asks and writes: query, key `[..., heads, K]`, value `[..., heads, V]`, and a cell's own gates."""

    query: Float[jax.Array, "*B N K"]
    key: Float[jax.Array, "*B N K"]
    value: Float[jax.Array, "*B N V"]
    gates: Any = None


def outer(key: Float[jax.Array, "*B K"], value: Float[jax.Array, "*B V"]) -> Float[jax.Array, "*B K V"]:
    """The product k vᵀ of each head, `[..., K, V]`, in float32 or wider."""
    return widened(key)[..., :, None] * widened(value)[..., None, :]


class AssociativeMemory(LinearCell):
    """A linear cell whose carry is, or holds, one matrix S `[B, heads, K, V]`; V = H / heads.

    A subclass has the fields `heads` and `key_size` (None is V), and in `gate_sizes` the columns of its input product
    behind those of queries, keys and values.
    """

    heads: int
    key_size: int | None
    gate_sizes: tuple[int, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        check_divisor("heads", self.heads, self.hidden_size)
        check_size("key_size", self.key_dim)

    @property
    def key_dim(self) -> int:
        """K."""
        return self.hidden_size // self.heads if self.key_size is None else self.key_size

    def input_kernel(self, key: Key, param_dtype: DType) -> Float[jax.Array, "{self.input_size} G"]:
        """The Glorot-uniform kernel of queries, keys, values and gates."""
        sizes = (self.heads * self.key_dim, self.heads * self.key_dim, self.hidden_size, *self.gate_sizes)
        return initializers.columns(initializers.glorot_uniform, key, self.input_size, sizes, param_dtype)

    def split(self, product: Projected) -> list[Float[jax.Array, "..."]]:
        """Queries, keys and values by head, then the columns of each gate."""
        keys = self.heads * self.key_dim
        ends = itertools.accumulate((keys, keys, self.hidden_size, *self.gate_sizes))
        parts = jnp.split(product, list(ends)[:-1], axis=-1)
        by_head = (part.reshape(*part.shape[:-1], self.heads, part.shape[-1] // self.heads) for part in parts[:3])
        return [*by_head, *parts[3:]]

    def initial_memory(self, batch_shape: tuple[int, ...], dtype: DType) -> Memory:
        """S = 0."""
        return jnp.zeros((*batch_shape, self.heads, self.key_dim, self.hidden_size // self.heads), dtype)


def recall(memory: Float[jax.Array, "*B K V"], query: Float[jax.Array, "*B K"]) -> Float[jax.Array, "*B V"]:
    """What S holds under q: Sᵀ q of each head, `[..., V]`."""
    return jnp.einsum("...kv,...k->...v", memory, query)


class LinearAttention(AssociativeMemory, DiagonalCell):
    """Sₜ = diag(αₜ) Sₜ₋₁ + kₜ vₜᵀ, yₜ = Sₜᵀ qₜ for each head: a subclass says in `project` what these letters are.

    The gates of its `Association` are αₜ, in [−1, 1] and in float32 or wider: one for each entry of a key,
    `[..., heads, K]`, or one for all of them, `[..., heads, 1]`. The query has the dtype of the inputs.
    """

    chunk_size = 32

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Memory:
        return self.initial_memory(batch_shape, dtype)

    def elements(self, params: Params, z: Association) -> Affine:
        return Affine(z.gates[..., None], outer(z.key, z.value))

    def read(self, params: Params, carry: Memory, z: Association) -> Output:
        y = recall(carry.astype(z.query.dtype), z.query)
        return y.reshape(*y.shape[:-2], self.hidden_size)

    def chunk(
        self, params: Params, carry: Memory, z: Association, valid: Bool[jax.Array, "C *B"] | None
    ) -> tuple[Memory, Float[jax.Array, "C *B H"]]:
        key, decay = chunks.kept(valid, z.key), chunks.kept(valid, z.gates, 1.0)
        query, key, value, decay = (chunks.heads_first(part) for part in (z.query, key, z.value, decay))
        ys, carry = chunks.linear_attention(query, key, value, decay, carry)
        return carry, chunks.joined(ys).astype(z.query.dtype)


@dataclasses.dataclass(frozen=True)
class RetNet(LinearAttention):
    """Retention; equations and source at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 heads K + H]`. Parameters: 3 D H. That is with
    heads K = H, as by default.

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
    papers = (SUN_2023,)
    chunk_size = 64

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        return {"input": {"kernel": self.input_kernel(key, param_dtype)}}

    def project(self, params: Params, xs: Inputs) -> Association:
        query, key, value = self.split(dense(xs, **params["input"]))
        rate = 2.0 ** (-5 - jnp.arange(self.heads, dtype=at_least_float32(key.dtype)))
        decay = jnp.broadcast_to((1 - rate)[:, None], (*key.shape[:-1], 1))
        return Association(query * self.key_dim**-0.5, key, value, decay)


@dataclasses.dataclass(frozen=True)
class GLA(LinearAttention):
    """Gated linear attention; equations and source at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 heads K + H + R]`, `decay.kernel [R, heads K]`,
    `decay.bias [heads K]` (W_α, b_α). Parameters: 3 D H + D R + (R + 1) H. That is with heads K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
        rank: R, numbers that the decays are made of.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    rank: int = dataclasses.field(default=16, kw_only=True)
    papers = (YANG_2024,)

    def __post_init__(self):
        super().__post_init__()
        check_size("rank", self.rank)

    @property
    def gate_sizes(self) -> tuple[int, ...]:
        return (self.rank,)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, decay_key = jax.random.split(key)
        keys = self.heads * self.key_dim
        kernel = initializers.glorot_uniform(decay_key, (self.rank, keys), param_dtype)
        return {
            "input": {"kernel": self.input_kernel(input_key, param_dtype)},
            "decay": {"kernel": kernel, "bias": jnp.zeros(keys, param_dtype)},
        }

    def project(self, params: Params, xs: Inputs) -> Association:
        query, key, value, gate = self.split(dense(xs, **params["input"]))
        log_decay = jax.nn.log_sigmoid(dense(widened(gate), **params["decay"])) / TEMPERATURE
        return Association(query * self.key_dim**-0.5, key, value, jnp.exp(log_decay).reshape(key.shape))
