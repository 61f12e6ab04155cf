"""The delta rule in its general form: what the family of DeltaNet shares, with one chunkwise form for all of it.

    Sₜ = Diag(dₜ) Sₜ₋₁ + kₜ (vₜ − eₜ Sₜ₋₁ᵀ aₜ)ᵀ,    yₜ = Sₜᵀ qₜ        for each head

A step is a diagonal matrix plus one of rank one: what the memory holds under a is looked up, and a share e of it is
taken away where the new value is written. The delta rule as the papers have it, (I − β k kᵀ) Diag(d) S + β k vᵀ, is the
case of a = d ⊙ k, e = β and of the value β v: see `delta_step`. A token takes one such step, or several of them.

In a chunk, what each step writes, u, is what is left of its value once the memory before it is recalled:

    uₜ = vₜ − eₜ (d₍ₜ₋₁₎₀ ⊙ aₜ)ᵀ S₀ − eₜ Σ_{s < t} ((d₍ₜ₋₁₎ₛ ⊙ aₜ)ᵀ kₛ) uₛ

which is one triangular system for all of its steps. Yang et al. 2024, arXiv:2406.06484, section 3, without a decay;
2025, arXiv:2412.06464, with one; here for decays of each entry of a key, too, all products of steps, never quotients.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import widened
from rnn_jax.cells.linear import chunks
from rnn_jax.cells.linear.linear_attention import AssociativeMemory, Memory, outer, recall
from rnn_jax.typing import Bool, DType, Float, Output, Params


class DeltaStep(NamedTuple):
    """One step, in float32 or wider."""

    log_decay: Float[jax.Array, "*B #K"]
    """log d, `[..., heads, K]`, or `[..., heads, 1]` where it is one number."""
    removal: Float[jax.Array, "*B K"]
    """a: what is looked up, in the memory before the step."""
    key: Float[jax.Array, "*B K"]
    """k: where the outcome is written."""
    erase: Float[jax.Array, "*B 1"]
    """e: the share of what was found that is taken away."""
    value: Float[jax.Array, "*B V"]
    """v."""


class DeltaInputs(NamedTuple):
    """A token: what it asks, `[..., heads, K]`, after the steps that it takes."""

    query: Float[jax.Array, "*B N K"]
    steps: tuple[DeltaStep, ...]


class DeltaMap(NamedTuple):
    """Sₜ = transition Sₜ₋₁ + update: `[..., heads, K, K]` and `[..., heads, K, V]`."""

    transition: Float[jax.Array, "*B N K K"]
    update: Float[jax.Array, "*B N K V"]


def unit(a: Float[jax.Array, "*B K"]) -> Float[jax.Array, "*B K"]:
    """`a` with length one, or shorter where it is near zero: there too all derivatives are finite."""
    wide = widened(a)
    return (wide * jax.lax.rsqrt(jnp.sum(wide**2, axis=-1, keepdims=True) + 1e-6)).astype(a.dtype)


def delta_step(
    key: Float[jax.Array, "*B K"],
    value: Float[jax.Array, "*B V"],
    write: Float[jax.Array, "*B"],
    log_decay: Float[jax.Array, "*B #K"],
) -> DeltaStep:
    """(I − β k kᵀ) Diag(d) S + β k vᵀ, where β is `write`: the value under the key moves by β towards the new one."""
    key, write = widened(key), write[..., None]
    return DeltaStep(log_decay, jnp.exp(log_decay) * key, key, write, write * widened(value))


def take_step(memory: Float[jax.Array, "*B K V"], step: DeltaStep) -> Float[jax.Array, "*B K V"]:
    """The memory after a step, without a matrix of `[K, K]`."""
    written = step.value - step.erase * recall(memory, step.removal)
    return jnp.exp(step.log_decay)[..., None] * memory + outer(step.key, written)


def take_steps(
    memory: Float[jax.Array, "*B K V"], query: Float[jax.Array, "*B C K"], steps: DeltaStep
) -> tuple[Float[jax.Array, "*B K V"], Float[jax.Array, "*B C V"]]:
    """C steps `[..., C, K]` at once: the memory after them, and what each of the queries reads after its step."""
    # What a step looks up in the memory before it, the step before could have asked of the memory after itself.
    asked = jnp.stack([query, _shifted(steps.removal, -1, 0.0)], axis=-3)
    key = steps.key[..., None, :, :]
    if steps.log_decay.shape[-1] == 1:
        within, start, end = chunks.decays(steps.log_decay[..., 0])
        scores, start, end = within[..., None, :, :] * chunks.matmul(asked, key.mT), start[..., None], end[..., None]
    else:
        decay = jnp.exp(steps.log_decay)[..., None, :, :]
        scores, start, end = chunks.scores_with_decays(asked, key, decay)
        start, end = start[..., 0, :, :], end[..., 0, :, :]
    seen, found = scores[..., 0, :, :], _shifted(scores[..., 1, :, :], 1, 0.0)
    left = steps.value - steps.erase * chunks.matmul(_shifted(start, 1, 1.0) * steps.removal, memory)
    written = chunks.matmul(chunks.inverse(steps.erase * found), left)
    y = seen @ written + (start * query) @ memory
    memory = start[..., -1, :, None] * memory + chunks.matmul((end * steps.key).mT, written)
    return memory, y


def _shifted(a: Float[jax.Array, "*B C K"], by: int, fill: float) -> Float[jax.Array, "*B C K"]:
    """`a` a step later (`by` 1) or earlier (−1), with `fill` in the step that is left."""
    row = jnp.full_like(a[..., :1, :], fill)
    return jnp.concatenate([row, a[..., :-1, :]] if by > 0 else [a[..., 1:, :], row], axis=-2)


class DeltaRule(AssociativeMemory):
    """A cell whose memory follows the delta rule: `project` gives `DeltaInputs`, of as many steps for all tokens."""

    chunk_size = 32

    def by_head(self, a: Float[jax.Array, "*B M"]) -> Float[jax.Array, "*B N K"]:
        """`[..., heads K]` to `[..., heads, K]`."""
        return a.reshape(*a.shape[:-1], self.heads, a.shape[-1] // self.heads)

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Memory:
        return self.initial_memory(batch_shape, dtype)

    def step(self, params: Params, carry: Memory, z: DeltaInputs) -> tuple[Memory, Output]:
        memory = functools.reduce(take_step, z.steps, carry.astype(z.steps[0].value.dtype)).astype(carry.dtype)
        return memory, self.read(params, memory, z)

    def read(self, params: Params, carry: Memory, z: DeltaInputs) -> Output:
        y = recall(carry.astype(z.query.dtype), z.query)
        return y.reshape(*y.shape[:-2], self.hidden_size)

    def chunk(
        self, params: Params, carry: Memory, z: DeltaInputs, valid: Bool[jax.Array, "C *B"] | None
    ) -> tuple[Memory, Float[jax.Array, "C *B H"]]:
        count = len(z.steps)

        def in_turns(*parts: Float[jax.Array, "C *B N K"]) -> Float[jax.Array, "*B N S K"]:
            turns = jnp.stack(parts, axis=1)
            return chunks.heads_first(turns.reshape(turns.shape[0] * count, *turns.shape[2:]))

        kept = [
            step._replace(
                log_decay=chunks.kept(valid, step.log_decay),
                erase=chunks.kept(valid, step.erase),
                value=chunks.kept(valid, step.value),
            )
            for step in z.steps
        ]
        query = jnp.repeat(chunks.heads_first(z.query), count, axis=-2)
        carry, y = take_steps(carry, query, jax.tree.map(in_turns, *kept))
        return carry, chunks.joined(y[..., count - 1 :: count, :]).astype(z.query.dtype)

    def elements(self, params: Params, z: DeltaInputs) -> DeltaMap:
        return functools.reduce(self.combine, (_map_of(step) for step in z.steps))

    def apply(self, element: DeltaMap, carry: Memory) -> Memory:
        transition, update = (part.astype(carry.dtype) for part in element)
        return chunks.matmul(transition, carry) + update

    def combine(self, first: DeltaMap, second: DeltaMap) -> DeltaMap:
        moved = chunks.matmul(second.transition, first.update) + second.update
        return DeltaMap(chunks.matmul(second.transition, first.transition), moved)

    def identity(self, element: DeltaMap) -> DeltaMap:
        return DeltaMap(_identity(element.transition), jnp.zeros_like(element.update))


def _map_of(step: DeltaStep) -> DeltaMap:
    erased = outer(step.key, step.erase * step.removal)
    return DeltaMap(jnp.exp(step.log_decay)[..., None] * _identity(erased) - erased, outer(step.key, step.value))


def _identity(like: Float[jax.Array, "*B K K"]) -> Float[jax.Array, "*B K K"]:
    return jnp.broadcast_to(jnp.eye(like.shape[-1], dtype=like.dtype), like.shape)
