"""Many steps of a matrix memory as a few products of matrices: what the cells' `chunk` methods share.

    yₜ = dₜ₀ S₀ᵀ qₜ + Σ_{s ≤ t} dₜₛ (qₜᵀ kₛ) vₛ,    dₜₛ = Π_{s < u ≤ t} αᵤ,    dₜ₀ = Π_{u ≤ t} αᵤ

Arrays have batch and heads first: `[..., C, K]` and `[..., C]` for the C steps of a chunk. A decay over a span is the
sum of its logs, or the product of its steps, and never a quotient of longer spans: with a decay near zero in both, that
would lose all digits. Yang et al. 2024, arXiv:2312.06635, section 4; arXiv:2406.06484, section 3, for the inverse.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import along_last, widened
from rnn_jax.typing import Bool, Float


class Spans(NamedTuple):
    """Log decays over spans of a chunk."""

    pairs: Float[jax.Array, "*B C C"]
    """log dₜₛ `[..., C, C]` where s ≤ t, and zero elsewhere."""
    start: Float[jax.Array, "*B C"]
    """log dₜ₀ `[..., C]`."""


def spans(log_decay: Float[jax.Array, "*B C"]) -> Spans:
    """Sums of `log_decay` over all spans of a chunk."""
    lower = np.tril(np.ones((log_decay.shape[-1],) * 2))
    after = log_decay[..., None] * along_last(np.tril(lower, -1), log_decay[..., None])
    pairs = matmul(jnp.asarray(lower, log_decay.dtype), after)
    return Spans(pairs, pairs[..., 0] + log_decay[..., :1])


def decays(
    log_decay: Float[jax.Array, "*B C"],
) -> tuple[Float[jax.Array, "*B C C"], Float[jax.Array, "*B C"], Float[jax.Array, "*B C"]]:
    """dₜₛ `[..., C, C]`, zero where s > t; dₜ₀ `[..., C]`; and d from each step to the last, `[..., C]`."""
    pairs, start = spans(log_decay)
    return where(causal(pairs.shape[-1]), jnp.exp(pairs), 0.0), jnp.exp(start), jnp.exp(pairs[..., -1, :])


def causal(length: int) -> Bool[np.ndarray, "{length} {length}"]:
    """Where s ≤ t, `[C, C]`."""
    return np.tril(np.ones((length, length), bool))


def where(pairs: Bool[np.ndarray, "C C"], on: Float[jax.Array, "*B C C"], off: float) -> Float[jax.Array, "*B C C"]:
    """`on [..., C, C]` for the `pairs`, a mask `[C, C]`, and `off` for the others."""
    return jnp.where(jnp.broadcast_to(pairs, on.shape), on, off)


def matmul(a: Float[jax.Array, "... M N"], b: Float[jax.Array, "... N L"]) -> Float[jax.Array, "... M L"]:
    """`a @ b` in the precision of its operands: many of these follow one another."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def inverse(a: Float[jax.Array, "*B C C"]) -> Float[jax.Array, "*B C C"]:
    """(I + A)⁻¹ for the strictly lower triangular part of A `[..., C, C]`: forward substitution by blocks."""
    step, half = np.arange(a.shape[-1]), 1
    inverse = jnp.broadcast_to(jnp.eye(a.shape[-1], dtype=a.dtype), a.shape)
    while half < a.shape[-1]:
        one_block = step[:, None] // (2 * half) == step // (2 * half)
        from_first_half = one_block & (step[:, None] // half > step // half)
        inverse = inverse - matmul(matmul(inverse, where(from_first_half, a, 0.0)), inverse)
        half *= 2
    return inverse


def attention_with_decays(
    query: Float[jax.Array, "*B C K"],
    key: Float[jax.Array, "*B C K"],
    value: Float[jax.Array, "*B C V"],
    decay: Float[jax.Array, "*B C K"],
) -> tuple[Float[jax.Array, "*B C V"], Float[jax.Array, "*B C K"], Float[jax.Array, "*B C K"]]:
    """Σ_{s ≤ t} ((qₜ ⊙ dₜₛ)ᵀ kₛ) vₛ `[..., C, V]` for decays of each entry of a key, `[..., C, K]`.

    Returns:
        The sums, dₜ₀, and d from each step to the last.
    """
    scores, since_start, until_end = scores_with_decays(query, key, decay)
    return scores @ value, since_start, until_end


def scores_with_decays(
    query: Float[jax.Array, "... C K"], key: Float[jax.Array, "... C K"], decay: Float[jax.Array, "... C K"]
) -> tuple[Float[jax.Array, "... C C"], Float[jax.Array, "... C K"], Float[jax.Array, "... C K"]]:
    """(qₜ ⊙ dₜₛ)ᵀ kₛ `[..., C, C]` where s ≤ t, and zero elsewhere, for decays of each entry of a key, `[..., C, K]`.

    The chunk is cut in halves again and again. Between the two halves of a block, dₜₛ is the decay of t since the
    middle times that of s until the middle, so that no factor is above one. Leading dims of one are those of all.

    Returns:
        The scores, dₜ₀, and d from each step to the last.
    """
    length, half = query.shape[-2], 1
    until_end = jnp.ones_like(decay)
    pad = [(0, 0)] * (query.ndim - 2) + [(0, _power_of_two(length) - length), (0, 0)]
    query, key = (jnp.pad(a, pad) for a in (query, key))
    since_start, until_end = (jnp.pad(a, pad, constant_values=1) for a in (decay, until_end))
    scores = jnp.sum(query * key, axis=-1)[..., None, None]  # of each block with itself
    while half < query.shape[-2]:
        keys, _ = _halves(key * until_end, half)
        _, queries = _halves(query * since_start, half)
        blocks = scores.reshape(*scores.shape[:-3], scores.shape[-3] // 2, 2, half, half)
        upper, lower = blocks[..., 0, :, :], blocks[..., 1, :, :]
        upper = jnp.concatenate([upper, jnp.zeros_like(upper)], axis=-1)
        lower = jnp.concatenate([matmul(queries, keys.mT), lower], axis=-1)
        scores = jnp.concatenate([upper, lower], axis=-2)
        (first, second), (first_until, second_until) = _halves(since_start, half), _halves(until_end, half)
        since_start = _whole(first, second * first[..., -1:, :])
        until_end = _whole(first_until * second[..., -1:, :], second_until)
        half *= 2
    return scores[..., 0, :length, :length], since_start[..., :length, :], until_end[..., :length, :]


def linear_attention(
    query: Float[jax.Array, "*B C K"],
    key: Float[jax.Array, "*B C K"],
    value: Float[jax.Array, "*B C V"],
    decay: Float[jax.Array, "*B C #K"],
    memory: Float[jax.Array, "*B K V"],
) -> tuple[Float[jax.Array, "*B C V"], Float[jax.Array, "*B K V"]]:
    """The outputs and the last memory of Sₜ = diag(αₜ) Sₜ₋₁ + kₜ vₜᵀ, yₜ = Sₜᵀ qₜ.

    Args:
        query: qₜ `[..., C, K]`.
        key: kₜ `[..., C, K]`.
        value: vₜ `[..., C, V]`.
        decay: αₜ between −1 and 1, one for all entries of a key, `[..., C, 1]`, or one for each, `[..., C, K]`. Where
            one for all is exactly zero, the derivative by it is taken to be zero.
        memory: S₀ `[..., K, V]`.

    Returns:
        yₜ `[..., C, V]` and the last S `[..., K, V]`.
    """
    if decay.shape[-1] == 1:
        within, since_start, until_end = signed_decays(decay[..., 0])
        sums = (within * (query @ key.mT)) @ value
        since_start, until_end = since_start[..., None], until_end[..., None]
    else:
        sums, since_start, until_end = attention_with_decays(query, key, value, decay)
    memory_last = since_start[..., -1, :, None] * memory + (key * until_end).mT @ value
    return sums + (query * since_start) @ memory, memory_last


def signed_decays(
    decay: Float[jax.Array, "*B C"],
) -> tuple[Float[jax.Array, "*B C C"], Float[jax.Array, "*B C"], Float[jax.Array, "*B C"]]:
    """What `decays` gives, of the decays themselves, which may be negative."""
    within, since_start, until_end = decays(jnp.log(jnp.maximum(jnp.abs(decay), jnp.finfo(decay.dtype).tiny)))
    lower = jnp.asarray(causal(decay.shape[-1]), decay.dtype)
    negatives = matmul(lower, (decay < 0).astype(decay.dtype)[..., None])[..., 0]
    sign = 1 - 2 * (negatives % 2)  # of the product from the start; that of a span is the product of two
    within = sign[..., :, None] * within * sign[..., None, :]
    return within, sign * since_start, sign[..., -1:] * sign * until_end


def _halves(a: jax.Array, half: int) -> tuple[jax.Array, jax.Array]:
    blocks = a.reshape(*a.shape[:-2], a.shape[-2] // (2 * half), 2, half, a.shape[-1])
    return blocks[..., 0, :, :], blocks[..., 1, :, :]


def _whole(first: jax.Array, second: jax.Array) -> jax.Array:
    blocks = jnp.stack([first, second], axis=-3)
    return blocks.reshape(*blocks.shape[:-4], math.prod(blocks.shape[-4:-1]), blocks.shape[-1])


def _power_of_two(length: int) -> int:
    return 1 << (length - 1).bit_length()


def heads_first(a: Float[jax.Array, "C *B N K"]) -> Float[jax.Array, "*B N C K"]:
    """`[C, B, heads, K]` to `[B, heads, C, K]`, in float32 or wider."""
    return jnp.moveaxis(widened(a), 0, -2)


def steps_last(a: Float[jax.Array, "C *B N"]) -> Float[jax.Array, "*B N C"]:
    """`[C, B, heads]` to `[B, heads, C]`, in float32 or wider."""
    return jnp.moveaxis(widened(a), 0, -1)


def joined(ys: Float[jax.Array, "*B N C V"]) -> Float[jax.Array, "C *B N*V"]:
    """`[B, heads, C, V]` to `[C, B, heads V]`."""
    ys = jnp.moveaxis(ys, -2, 0)
    return ys.reshape(*ys.shape[:-2], ys.shape[-2] * ys.shape[-1])


def kept(
    valid: Bool[jax.Array, "C *B"] | None, a: Float[jax.Array, "C ..."], padding: float = 0.0
) -> Float[jax.Array, "C ..."]:
    """`a [C, B, ...]` with `padding` in the steps that are padding."""
    if valid is None:
        return a
    return jnp.where(valid.reshape(valid.shape + (1,) * (a.ndim - valid.ndim)), a, jnp.asarray(padding, a.dtype))
