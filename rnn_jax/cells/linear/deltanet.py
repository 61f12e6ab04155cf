"""The delta rule: a memory that first forgets what it held under a key, then writes the new value.

    Sₜ = αₜ (I − βₜ kₜ kₜᵀ) Sₜ₋₁ + βₜ kₜ vₜᵀ,    yₜ = Sₜᵀ qₜ        for each head

    q = φ(W_qᵀ x),  k = φ(W_kᵀ x),  v = W_vᵀ x,  φ(a) = silu(a) / ‖silu(a)‖,  βₜ = σ(w_βᵀ xₜ)

    DeltaNet         αₜ = 1
    GatedDeltaNet    αₜ = exp(−exp(A) softplus(w_αᵀ xₜ + b_α))

With `negative_eigenvalues` β is twice as large, in (0, 2): I − β k kᵀ can then reflect, and a memory count modulo 2.

Schlag, Irie & Schmidhuber 2021, arXiv:2102.11174, with φ of Yang et al. 2024, arXiv:2406.06484; the gate: Yang, Kautz
& Hatamizadeh 2025, arXiv:2412.06464, with α as in Mamba-2; negative eigenvalues: Grazzi et al. 2025, arXiv:2411.12537.
The convolutions, the normalisation of the output, its gate and the last linear layer of the papers' blocks are left to
the block around a cell; v has no activation. In φ, 1e-6 is added to the squared length.

q, k, v, β and α are columns of one product, in this order, heads side by side within each. Kernels start
Glorot-uniform, exp(A) uniform in [1, 16] and b_α such that its softplus is log-uniform in [0.001, 0.1], as in Mamba-2.
"""

import abc
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import along_last, dense, sigmoid, widened
from rnn_jax.cells.linear import chunks
from rnn_jax.cells.linear.linear_attention import Association, AssociativeMemory, Memory, outer, recall
from rnn_jax.cells.linear.s6 import GRAZZI_2025
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import Bool, DType, Float, Inputs, Key, Output, Params

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


class DeltaGates(NamedTuple):
    """log α and β, `[..., heads]`, in float32 or wider."""

    log_keep: Float[jax.Array, "*B N"]
    write: Float[jax.Array, "*B N"]


class DeltaMap(NamedTuple):
    """Sₜ = transition Sₜ₋₁ + update: `[..., heads, K, K]` and `[..., heads, K, V]`."""

    transition: Float[jax.Array, "*B N K K"]
    update: Float[jax.Array, "*B N K V"]


def unit(a: Float[jax.Array, "*B K"]) -> Float[jax.Array, "*B K"]:
    """`a` with length one, or shorter where it is near zero: there too all derivatives are finite."""
    wide = widened(a)
    return (wide * jax.lax.rsqrt(jnp.sum(wide**2, axis=-1, keepdims=True) + 1e-6)).astype(a.dtype)


def delta_rule(
    memory: Float[jax.Array, "*B K V"],
    key: Float[jax.Array, "*B K"],
    value: Float[jax.Array, "*B V"],
    gates: DeltaGates,
) -> Float[jax.Array, "*B K V"]:
    """Sₜ without the matrix I − β k kᵀ: the value under the key moves by β towards the new one."""
    kept = jnp.exp(gates.log_keep)[..., None, None] * memory
    return kept + outer(key, gates.write[..., None] * (value - recall(kept, key)))


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    # Many of these follow one another: their precision is not left to the device.
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _identity(like: jax.Array) -> jax.Array:
    return jnp.broadcast_to(jnp.eye(like.shape[-1], dtype=like.dtype), like.shape)


class _DeltaRule(AssociativeMemory):
    """What both cells share: everything but α."""

    negative_eigenvalues: bool
    chunk_size = 32

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Memory:
        return self.initial_memory(batch_shape, dtype)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        return {"input": {"kernel": self.input_kernel(key, param_dtype)}}

    @abc.abstractmethod
    def log_keep(
        self, params: Params, gates: list[Float[jax.Array, "*B N"]], write: Float[jax.Array, "*B N"]
    ) -> Float[jax.Array, "*B N"]:
        """The logarithm of α, in the shape of β, `write`."""

    def project(self, params: Params, xs: Inputs) -> Association:
        query, key, value, write, *gates = self.split(dense(xs, **params["input"]))
        write = sigmoid(widened(write)) * (2 if self.negative_eigenvalues else 1)
        query, key = unit(jax.nn.silu(query)), unit(jax.nn.silu(key))
        return Association(query, key, value, DeltaGates(self.log_keep(params, gates, write), write))

    def elements(self, params: Params, z: Association) -> DeltaMap:
        keep, write = jnp.exp(z.gates.log_keep)[..., None, None], z.gates.write[..., None, None]
        identity = jnp.eye(self.key_dim, dtype=write.dtype)
        transition = keep * (
            jnp.broadcast_to(identity, (*write.shape[:-2], *identity.shape)) - write * outer(z.key, z.key)
        )
        return DeltaMap(transition, write * outer(z.key, z.value))

    def step(self, params: Params, carry: Memory, z: Association) -> tuple[Memory, Output]:
        memory = delta_rule(carry.astype(z.gates.write.dtype), widened(z.key), widened(z.value), z.gates)
        memory = memory.astype(carry.dtype)
        return memory, self.read(params, memory, z)

    def read(self, params: Params, carry: Memory, z: Association) -> Output:
        y = recall(carry.astype(z.query.dtype), z.query)
        return y.reshape(*y.shape[:-2], self.hidden_size)

    def chunk(
        self, params: Params, carry: Memory, z: Association, valid: Bool[jax.Array, "C *B"] | None
    ) -> tuple[Memory, Float[jax.Array, "C *B H"]]:
        # What each step writes, u, is what is left of its value once the memory before it is recalled:
        # uₜ = βₜ (vₜ − dₜ₀ S₀ᵀ kₜ − Σ_{s < t} dₜₛ (kₜᵀ kₛ) uₛ), one triangular system for all of a chunk.
        query, key, value = (chunks.heads_first(part) for part in (z.query, z.key, z.value))
        log_keep, write = (chunks.steps_last(chunks.kept(valid, gate)) for gate in z.gates)
        within, since_start, until_end = chunks.decays(log_keep)
        write, start = write[..., None], since_start[..., None]
        system = chunks.inverse(write * within * chunks.matmul(key, key.mT))
        written = chunks.matmul(system, write * (value - start * chunks.matmul(key, carry)))
        y = (within * (query @ key.mT)) @ written + start * (query @ carry)
        carry = start[..., -1:, :] * carry + chunks.matmul((until_end[..., None] * key).mT, written)
        return carry, chunks.joined(y).astype(z.query.dtype)

    def apply(self, element: DeltaMap, carry: Memory) -> Memory:
        transition, update = (part.astype(carry.dtype) for part in element)
        return _product(transition, carry) + update

    def combine(self, first: DeltaMap, second: DeltaMap) -> DeltaMap:
        moved = _product(second.transition, first.update) + second.update
        return DeltaMap(_product(second.transition, first.transition), moved)

    def identity(self, element: DeltaMap) -> DeltaMap:
        return DeltaMap(_identity(element.transition), jnp.zeros_like(element.update))


@dataclasses.dataclass(frozen=True)
class DeltaNet(_DeltaRule):
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

    @property
    def gate_sizes(self) -> tuple[int, ...]:
        return (self.heads,)

    def log_keep(
        self, params: Params, gates: list[Float[jax.Array, "*B N"]], write: Float[jax.Array, "*B N"]
    ) -> Float[jax.Array, "*B N"]:
        return jnp.zeros_like(write)


@dataclasses.dataclass(frozen=True)
class GatedDeltaNet(_DeltaRule):
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

    @property
    def gate_sizes(self) -> tuple[int, ...]:
        return (self.heads, self.heads)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, rate_key, bias_key = jax.random.split(key, 3)
        rate = jax.random.uniform(rate_key, (self.heads,), minval=1.0, maxval=16.0)
        decay = {
            "log_rate": jnp.log(rate).astype(param_dtype),
            "bias": initializers.softplus_bias(bias_key, self.heads, 0.001, 0.1, param_dtype),
        }
        return super().init(input_key, param_dtype) | {"decay": decay}

    def log_keep(
        self, params: Params, gates: list[Float[jax.Array, "*B N"]], write: Float[jax.Array, "*B N"]
    ) -> Float[jax.Array, "*B N"]:
        gate = widened(gates[0])
        step = jax.nn.softplus(gate + along_last(params["decay"]["bias"], gate))
        return -jnp.exp(along_last(params["decay"]["log_rate"], gate)) * step
