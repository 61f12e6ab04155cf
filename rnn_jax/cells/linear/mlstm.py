"""The matrix memory of xLSTM: exponential gates, and a normaliser beside the memory.

    Cₜ = fₜ Cₜ₋₁ + iₜ vₜ kₜᵀ,    nₜ = fₜ nₜ₋₁ + iₜ kₜ,    yₜ = oₜ ⊙ Cₜ qₜ / max(|nₜᵀ qₜ|, 1)        for each head

    iₜ = exp(ĩₜ),    fₜ = σ(f̃ₜ) or exp(f̃ₜ),    oₜ = σ(õₜ)

q, k √K, v, õ, ĩ and f̃ are columns of Wᵀ xₜ + b, in this order, heads side by side within each; ĩ and f̃ are one
number a head, K is the size of a key. Beck et al. 2024, arXiv:2405.04517, section 2.3.

C and n can overflow, so the carry holds C e^(−m), transposed, and n e^(−m), where mₜ = max(log fₜ + mₜ₋₁, ĩₜ) is the
paper's stabiliser, the log of the largest weight of any step in Cₜ. On that scale the denominator is
max(|nᵀ q|, e^(−m)), as in the authors' code; the two agree for every m. That code also adds 1e-6; here the e^(−m)
beside |nᵀ q| is never below e^(−25), about 1e-11, which keeps 0 / 0 away.

Two spans of time make one, so that time can go in parallel: the earlier span decays by the later one's log f, and both
are added on the scale of the larger m.

Kernels start Glorot-uniform and biases zero, except, as in the authors' code: the kernels of ĩ and f̃ are zero, the
bias of ĩ is normal with deviation 0.1, that of f̃ goes evenly from 3 to 6 over the heads.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import dense, sigmoid, widened
from rnn_jax.cells.gated.slstm import BECK_2024
from rnn_jax.cells.linear import chunks
from rnn_jax.cells.linear.linear_attention import Association, AssociativeMemory, Memory, outer, recall
from rnn_jax.checks import check_choice
from rnn_jax.typing import Bool, DType, Float, Inputs, Key, Output, Params

FORGET_GATES = {"sigmoid": jax.nn.log_sigmoid, "exponential": lambda gate: gate}
"""log f from f̃."""
EMPTY = -1e30
"""m of a memory that holds nothing. Finite, since the difference of two infinities is no number."""


class MLSTMCarry(NamedTuple):
    """C e^(−m), transposed, `[B, heads, K, V]`; n e^(−m) `[B, heads, K]`; m `[B, heads]`."""

    memory: Memory
    normalizer: Float[jax.Array, "*B N K"]
    stabilizer: Float[jax.Array, "*B N"]


class MLSTMGates(NamedTuple):
    """log f and ĩ `[..., heads]`, o `[..., H]`."""

    log_forget: Float[jax.Array, "*B N"]
    log_input: Float[jax.Array, "*B N"]
    output: Output


class Span(NamedTuple):
    """Steps as one map: they decay what came before by `log_decay [..., heads]`, then add `state`."""

    log_decay: Float[jax.Array, "*B N"]
    state: MLSTMCarry


def join(before: MLSTMCarry, span: Span) -> MLSTMCarry:
    """`before` decayed, and the state of `span`, added on the scale of the larger."""
    decayed = before.stabilizer + span.log_decay
    stabilizer = jnp.maximum(decayed, span.state.stabilizer)
    old, new = jnp.exp(decayed - stabilizer), jnp.exp(span.state.stabilizer - stabilizer)
    return MLSTMCarry(
        old[..., None, None] * before.memory + new[..., None, None] * span.state.memory,
        old[..., None] * before.normalizer + new[..., None] * span.state.normalizer,
        stabilizer,
    )


def normalized(
    recalled: Float[jax.Array, "*B V"], weight: Float[jax.Array, "*B"], stabilizer: Float[jax.Array, "*B"]
) -> Float[jax.Array, "*B V"]:
    """C q / max(|nᵀ q|, 1) `[..., V]` from the scaled C q `[..., V]`, the scaled nᵀ q and m `[...]`."""
    # Numerator and denominator are both multiplied by e^min(m, 0): no factor that is left can overflow.
    scale = jnp.exp(jnp.minimum(stabilizer, 0))
    least = jnp.exp(-jnp.clip(stabilizer, 0, 25))
    return recalled * (scale / jnp.maximum(jnp.abs(weight) * scale, least))[..., None]


@dataclasses.dataclass(frozen=True)
class MLSTM(AssociativeMemory):
    """Long short-term memory with a matrix for a cell state; equations and source at the top of this file.

    Carry: `MLSTMCarry(memory [B, heads, K, H / heads], normalizer [B, heads, K], stabilizer [B, heads])`.
    Params: `input.kernel [D, 2 heads K + 2 H + 2 heads]`, `input.bias`, in the order q, k, v, o, i, f.
    Parameters: (D + 1) (4 H + 2). That is with one head and K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
        forget_gate: "sigmoid" or "exponential".
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    forget_gate: str = dataclasses.field(default="sigmoid", kw_only=True)
    papers = (BECK_2024,)
    chunk_size = 32

    def __post_init__(self):
        super().__post_init__()
        check_choice("forget_gate", self.forget_gate, tuple(FORGET_GATES))

    @property
    def gate_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size, self.heads, self.heads)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, bias_key = jax.random.split(key)
        kernel = self.input_kernel(kernel_key, param_dtype)
        plain = kernel.shape[1] - 2 * self.heads
        log_input = 0.1 * jax.random.normal(bias_key, (self.heads,))
        bias = jnp.concatenate([jnp.zeros(plain), log_input, jnp.linspace(3.0, 6.0, self.heads)])
        return {"input": {"kernel": kernel.at[:, plain:].set(0), "bias": bias.astype(param_dtype)}}

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> MLSTMCarry:
        memory = self.initial_memory(batch_shape, dtype)
        return MLSTMCarry(memory, jnp.zeros_like(memory[..., 0]), jnp.zeros_like(memory[..., 0, 0]))

    def project(self, params: Params, xs: Inputs) -> Association:
        query, key, value, output, log_input, forget = self.split(dense(xs, **params["input"]))
        log_forget = FORGET_GATES[self.forget_gate](widened(forget))
        gates = MLSTMGates(log_forget, widened(log_input), sigmoid(output))
        return Association(query, key * self.key_dim**-0.5, value, gates)

    def elements(self, params: Params, z: Association) -> Span:
        return Span(z.gates.log_forget, MLSTMCarry(outer(z.key, z.value), widened(z.key), z.gates.log_input))

    def read(self, params: Params, carry: MLSTMCarry, z: Association) -> Output:
        query = widened(z.query)
        memory, normalizer, stabilizer = (c.astype(query.dtype) for c in carry)
        y = normalized(recall(memory, query), jnp.einsum("...k,...k->...", normalizer, query), stabilizer)
        return z.gates.output * y.reshape(*y.shape[:-2], self.hidden_size).astype(z.query.dtype)

    def chunk(
        self, params: Params, carry: MLSTMCarry, z: Association, valid: Bool[jax.Array, "C *B"] | None
    ) -> tuple[MLSTMCarry, Float[jax.Array, "C *B H"]]:
        query, key, value = (chunks.heads_first(part) for part in (z.query, z.key, z.value))
        log_forget = chunks.steps_last(chunks.kept(valid, z.gates.log_forget))
        log_input = chunks.steps_last(chunks.kept(valid, z.gates.log_input, EMPTY))
        pairs, start = chunks.spans(log_forget)
        # The log of the weight that each step has in the memories of the chunk, and that the carry has.
        steps = chunks.where(chunks.causal(pairs.shape[-1]), pairs + log_input[..., None, :], -jnp.inf)
        before = start + carry.stabilizer[..., None]
        stabilizer = jnp.maximum(jnp.max(steps, axis=-1), before)
        steps, before = jnp.exp(steps - stabilizer[..., None]), jnp.exp(before - stabilizer)[..., None]
        scores = steps * (query @ key.mT)
        recalled = scores @ value + before * (query @ carry.memory)
        weight = jnp.sum(scores, axis=-1) + before[..., 0] * (query @ carry.normalizer[..., None])[..., 0]
        y = chunks.joined(normalized(recalled, weight, stabilizer)).astype(z.query.dtype)
        left, kept = steps[..., -1, :, None] * key, before[..., -1, :]
        memory = kept[..., None] * carry.memory + left.mT @ value
        carry = MLSTMCarry(memory, kept * carry.normalizer + jnp.sum(left, axis=-2), stabilizer[..., -1])
        return carry, z.gates.output * y

    def apply(self, element: Span, carry: MLSTMCarry) -> MLSTMCarry:
        wide = MLSTMCarry(*(c.astype(element.log_decay.dtype) for c in carry))
        return MLSTMCarry(*(new.astype(old.dtype) for new, old in zip(join(wide, element), carry, strict=True)))

    def combine(self, first: Span, second: Span) -> Span:
        return Span(first.log_decay + second.log_decay, join(first.state, second))

    def identity(self, element: Span) -> Span:
        return Span(jnp.zeros_like(element.log_decay), _empty(element.state))


def _empty(state: MLSTMCarry) -> MLSTMCarry:
    memory, normalizer, stabilizer = state
    return MLSTMCarry(jnp.zeros_like(memory), jnp.zeros_like(normalizer), jnp.full_like(stabilizer, EMPTY))
