"""Mamba-3: a state space model whose states turn, discretised by a trapezoid between the last input and this one.

    Sₜ = eᶻ (Sₜ₋₁ + (1 − λₜ) Δₜ kₜ₋₁ vₜ₋₁ᵀ) + λₜ Δₜ kₜ vₜᵀ,    z = Δₜ (Aₜ + i θₜ)
    yₜ = Re(Sₜᴴ qₜ) + D vₜ                                            for each head

    q = γ_q ⊙ rms(W_qᵀ x) + b_q,    k = γ_k ⊙ rms(W_kᵀ x) + b_k,    v = W_vᵀ x
    Δₜ = softplus(w_Δᵀ xₜ + b_Δ),    Aₜ = −softplus(w_Aᵀ xₜ),    λₜ = σ(w_λᵀ xₜ),    θₜ = π tanh(W_θᵀ xₜ)

S, q and k have K complex rows. Δ, A and λ are one number a head, θ are K, the same for all heads; rms divides by the
root of the mean square. λ = ½ is the trapezoidal rule, of second order in Δ; λ = 1 is Euler's rule, and with θ = 0 then
the recurrence of Mamba-2. With dt, Δₜ becomes Δₜ dt. Because the rows turn, by angles that the input chooses, the state
can count modulo n.

Lahoti, Li, Chen, Wang, Bick, Kolter, Dao & Gu 2026, arXiv:2603.15569: the exponential-trapezoidal rule and the complex
state, which the paper computes as rotary embeddings of q and k by the sum of all angles so far; that is Sₜ in another
basis. The norm and the bias of q (C) and k (B), how A and θ come of x, that heads share θ, and D are as in the authors'
code (github.com/state-spaces/mamba). That code also keeps −A above 1e-4, turns half of the rows by default and shares q
and k among heads; here all rows turn and each head has its own. Not here: several inputs and outputs a step (MIMO), the
gate and the last linear layer.

q, k and v, the heads' Δ, A and λ, and θ are columns of one product, in this order, heads side by side within each; the
real parts of a head's q or k come before its imaginary parts, as the rows of S do. Kernels start Glorot-uniform; γ,
b_q, b_k and D as one; Δ log-uniform in [dt_min, dt_max], by b_Δ.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import along_last, dense, widened
from rnn_jax.cells.linear import chunks
from rnn_jax.cells.linear.base import Complex
from rnn_jax.cells.linear.linear_attention import Association, AssociativeMemory, Memory, outer, recall
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart, duration
from rnn_jax.checks import check_time_steps
from rnn_jax.typing import Bool, DType, Float, Inputs, Key, Output, Params

LAHOTI_2026 = Paper(
    key="lahoti2026mamba",
    authors="Lahoti, Aakash and Li, Kevin Y. and Chen, Berlin and Wang, Caitlin and Bick, Aviv and Kolter, J. Zico and "
    "Dao, Tri and Gu, Albert",
    title="Mamba-3: Improved sequence modeling using state space principles",
    year=2026,
    booktitle="International Conference on Learning Representations",
    arxiv="2603.15569",
)


class Mamba3Carry(NamedTuple):
    """Sₜ `[B, heads, 2 K, V]`, real parts above imaginary ones; kₜ `[B, heads, 2 K]`; vₜ `[B, heads, V]`."""

    memory: Memory
    key: Float[jax.Array, "*B N K"]
    value: Float[jax.Array, "*B N V"]


class Mamba3Gates(NamedTuple):
    """Δ A, what the last input counts, (1 − λ) Δ, and this one, λ Δ: `[..., heads]`; Δ θ `[..., heads, K]`."""

    log_decay: Float[jax.Array, "*B N"]
    last: Float[jax.Array, "*B N"]
    now: Float[jax.Array, "*B N"]
    angle: Float[jax.Array, "*B N K"]


class Mamba3Map(NamedTuple):
    """Steps as one map: S becomes turn ⊙ (S + last k vᵀ) + memory; k and v become those of the last step.

    `turn`, a `Complex`, is `[..., heads, K]`, `last` `[..., heads]`; `keep` is one where no step was taken, else zero.
    """

    turn: Complex
    last: Float[jax.Array, "*B N"]
    keep: Float[jax.Array, "*B N"]
    state: Mamba3Carry


def turned(turn: Complex, rows: Float[jax.Array, "*B M"]) -> Float[jax.Array, "*B M"]:
    """Complex numbers, real parts before imaginary ones on the last axis, times `turn [..., M / 2]`."""
    return jnp.concatenate(turn.times(Complex.split(rows)), axis=-1)


def _after(element: Mamba3Map, state: Mamba3Carry) -> Mamba3Carry:
    """The state after the map, both of one dtype."""
    turn, keep = Complex(*(part[..., None, :] for part in element.turn)), element.keep[..., None]
    held = state.memory + outer(element.last[..., None] * state.key, state.value)
    memory = turned(turn, held.mT).mT + element.state.memory
    return Mamba3Carry(memory, keep * state.key + element.state.key, keep * state.value + element.state.value)


def standardized(
    a: Float[jax.Array, "*B N K"], scale: Float[jax.Array, "K"], bias: Float[jax.Array, "N K"]
) -> Float[jax.Array, "*B N K"]:
    """γ ⊙ a / √(mean of a² + 1e-5) + b for the last axis, in the dtype of `a`."""
    wide = widened(a)
    wide = wide * jax.lax.rsqrt(jnp.mean(wide**2, axis=-1, keepdims=True) + 1e-5)
    return (along_last(scale, wide) * wide + along_last(bias, wide)).astype(a.dtype)


@dataclasses.dataclass(frozen=True)
class Mamba3(AssociativeMemory):
    """The recurrence of Mamba-3; equations and source at the top of this file.

    Carry: `Mamba3Carry(memory [B, heads, 2 K, H / heads], key [B, heads, 2 K], value [B, heads, H / heads])`.
    Params: `input.kernel [D, 4 heads K + H + 3 heads + K]`, `query.scale`, `key.scale` `[2 K]` (γ), `query.bias`,
    `key.bias` `[heads, 2 K]`, `step.bias [heads]` (b_Δ), `skip.scale [heads]` (D). Parameters: D (6 H + 3) + 8 H + 2.
    That is with one head and K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, complex numbers of one key; None is H / heads.
        dt_min: the least Δ at first.
        dt_max: the greatest Δ at first.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    dt_min: float = dataclasses.field(default=0.001, kw_only=True)
    dt_max: float = dataclasses.field(default=0.1, kw_only=True)
    papers = (LAHOTI_2026,)
    timed = True
    chunk_size = 32

    def __post_init__(self):
        super().__post_init__()
        check_time_steps(self.dt_min, self.dt_max)

    @property
    def key_dim(self) -> int:
        """2 K, real numbers of one key."""
        return 2 * super().key_dim

    @property
    def gate_sizes(self) -> tuple[int, ...]:
        return (self.heads, self.heads, self.heads, self.key_dim // 2)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, step_key = jax.random.split(key)

        def one(*shape: int) -> jax.Array:
            return jnp.ones(shape, param_dtype)

        return {
            "input": {"kernel": self.input_kernel(input_key, param_dtype)},
            "query": {"scale": one(self.key_dim), "bias": one(self.heads, self.key_dim)},
            "key": {"scale": one(self.key_dim), "bias": one(self.heads, self.key_dim)},
            "step": {"bias": initializers.softplus_bias(step_key, self.heads, self.dt_min, self.dt_max, param_dtype)},
            "skip": {"scale": one(self.heads)},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Mamba3Carry:
        memory = self.initial_memory(batch_shape, dtype)
        return Mamba3Carry(memory, jnp.zeros_like(memory[..., 0]), jnp.zeros_like(memory[..., 0, :]))

    def project(self, params: Params, xs: Inputs | Timed) -> Association:
        xs, dt = apart(xs)
        query, key, value, *rest = self.split(dense(xs, **params["input"]))
        query, key = standardized(query, **params["query"]), standardized(key, **params["key"])
        step, rate, now, angle = (widened(part) for part in rest)
        step = jax.nn.softplus(step + along_last(params["step"]["bias"], step))
        step = step * duration(dt, step)
        now, angle = jax.nn.sigmoid(now), jnp.pi * jnp.tanh(angle)[..., None, :]
        gates = Mamba3Gates(-step * jax.nn.softplus(rate), (1 - now) * step, now * step, step[..., None] * angle)
        return Association(query, key, value, gates)

    def elements(self, params: Params, z: Association) -> Mamba3Map:
        log_decay, last, now, angle = z.gates
        decay = jnp.exp(log_decay)[..., None]
        turn = Complex(decay * jnp.cos(angle), decay * jnp.sin(angle))
        memory = now[..., None, None] * outer(z.key, z.value)
        return Mamba3Map(turn, last, jnp.zeros_like(last), Mamba3Carry(memory, widened(z.key), widened(z.value)))

    def read(self, params: Params, carry: Mamba3Carry, z: Association) -> Output:
        y = recall(carry.memory.astype(z.query.dtype), z.query) + self.skipped(params, z)
        return y.reshape(*y.shape[:-2], self.hidden_size)

    def skipped(self, params: Params, z: Association) -> Float[jax.Array, "*B N V"]:
        """D v."""
        return along_last(params["skip"]["scale"][:, None], z.value) * z.value

    def chunk(
        self, params: Params, carry: Mamba3Carry, z: Association, valid: Bool[jax.Array, "C *B"] | None
    ) -> tuple[Mamba3Carry, Float[jax.Array, "C *B H"]]:
        # In Sₜ the product k vᵀ of a step s counts λ Δ of its own, and (1 − λ) Δ of the next valid step once that is
        # taken, both decayed and turned since s. How many steps were taken up to each says which is next.
        taken = jnp.ones_like(z.gates.now[..., 0], bool) if valid is None else valid
        count = chunks.steps_last(jnp.cumsum(taken, axis=0).astype(z.gates.now.dtype)[..., None])
        taken = chunks.steps_last(taken.astype(count.dtype)[..., None]) > 0
        log_decay, last, now = (chunks.steps_last(chunks.kept(valid, gate)) for gate in z.gates[:3])
        ahead = count[..., None, :] - count[..., :, None]
        then = jnp.sum(jnp.where((ahead == 1) & taken[..., None, :], last[..., None, :], 0), axis=-1)
        weights = now[..., None, :] + jnp.where(ahead < 0, then[..., None, :], 0)
        first, final = (taken & (count == edge) for edge in (jnp.ones_like(count), count[..., -1:]))
        before = jnp.sum(jnp.where(first, last, 0), axis=-1, keepdims=True)
        held = carry.memory + outer(before * carry.key, carry.value)

        angle = jnp.cumsum(chunks.heads_first(chunks.kept(valid, z.gates.angle)), axis=-2)
        query, own, value = (chunks.heads_first(part) for part in (z.query, chunks.kept(valid, z.key), z.value))
        query, key = (turned(Complex(jnp.cos(angle), -jnp.sin(angle)), part) for part in (query, own))
        within, since_start, until_end = chunks.decays(log_decay)
        y = (within * weights * (query @ key.mT)) @ value + since_start[..., None] * (query @ held)
        left = (until_end * weights[..., -1, :])[..., None] * key
        end = Complex(jnp.cos(angle[..., -1:, :]), jnp.sin(angle[..., -1:, :]))
        memory = turned(end, (since_start[..., -1:, None] * held + left.mT @ value).mT).mT

        def latest(parts: jax.Array, carried: jax.Array) -> jax.Array:
            none = count[..., -1:] == 0
            return jnp.sum(jnp.where(final[..., None], parts, 0), axis=-2) + jnp.where(none, carried, 0)

        carry = Mamba3Carry(memory, latest(own, carry.key), latest(value, carry.value))
        skipped = self.skipped(params, z)
        y = chunks.joined(y).astype(z.query.dtype)
        return carry, y + skipped.reshape(*skipped.shape[:-2], self.hidden_size)

    def apply(self, element: Mamba3Map, carry: Mamba3Carry) -> Mamba3Carry:
        after = _after(element, Mamba3Carry(*(part.astype(element.last.dtype) for part in carry)))
        return Mamba3Carry(*(new.astype(old.dtype) for new, old in zip(after, carry, strict=True)))

    def combine(self, first: Mamba3Map, second: Mamba3Map) -> Mamba3Map:
        return Mamba3Map(
            second.turn.times(first.turn),
            first.last + first.keep * second.last,
            first.keep * second.keep,
            _after(second, first.state),
        )

    def identity(self, element: Mamba3Map) -> Mamba3Map:
        nothing = jax.tree.map(jnp.zeros_like, element)
        one = Complex(jnp.ones_like(element.turn.real), nothing.turn.imaginary)
        return nothing._replace(turn=one, keep=jnp.ones_like(element.keep))
