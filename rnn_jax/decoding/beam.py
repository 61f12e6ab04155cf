"""The likeliest sequences of a decoder: greedy and beam search, batched, of fixed shapes, inside jit."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.checks import check_size
from rnn_jax.typing import Carry, Float, Int

Step = Callable[[Carry, jax.Array], tuple[Carry, jax.Array]]


class Beams(NamedTuple):
    """The K best sequences of a search, the best first."""

    tokens: Int[jax.Array, "B K T"]
    """int32, each sequence up to and with its end, zeros after it."""
    lengths: Int[jax.Array, "B K"]
    """int32, the end counted; T where a sequence had no time to end."""
    scores: Float[jax.Array, "B K"]
    """float32, log probability over length penalty; −∞ where there is no such sequence."""


def beam_search(
    step: Step,
    carry: Carry,
    *,
    begin: int,
    end: int,
    steps: int,
    beams: int = 5,
    alpha: float = 0.6,
    forbidden: tuple[int, ...] = (),
) -> Beams:
    """Search for the sequences with the highest log p(y) / ((5 + |y|) / 6)^α, keeping K open ones at each step.

    Open and ended sequences are kept apart, so that a long sequence is not lost to a short one that has ended before.
    Length penalty: Wu et al. 2016, arXiv:1609.08144, equation 14.

    Args:
        step: `(carry, token int32 [B · K]) -> (carry, logits [B · K, V])`; row b · K + k is sequence k of b.
        carry: before the first token, every leaf `[B, ...]`; see `repeat_rows` for what `step` closes over.
        begin: the token that stands before the first.
        end: the token that ends a sequence.
        steps: T, tokens of a sequence at most.
        beams: K.
        alpha: 0 takes the likeliest sequence whatever its length; more favours longer ones.
        forbidden: tokens that are never written, such as padding.

    Raises:
        ValueError: `steps` or `beams` is below 1, or alpha is negative.
    """
    check_size("steps", steps)
    check_size("beams", beams)
    if alpha < 0:
        raise ValueError(f"alpha={alpha}: expected at least 0")
    batch = jax.tree.leaves(carry)[0].shape[0]
    rows = jnp.arange(batch)[:, None]

    def penalty(length: jax.Array | int) -> jax.Array:
        return ((5.0 + jnp.asarray(length, jnp.float32)) / 6.0) ** alpha

    def advance(t: jax.Array, state: dict[str, Any]) -> dict[str, Any]:
        last = jnp.where(t == 0, begin, state["tokens"][:, :, t - 1])
        carry, logits = step(state["carry"], last.reshape(-1))
        logs = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1).reshape(batch, beams, -1)
        logs = _without(logs, forbidden)
        size = logs.shape[-1]
        total = state["scores"][..., None] + logs

        ended = _best(
            beams,
            (state["ended"], state["ended_tokens"], state["ended_lengths"]),
            (
                total[..., end] / penalty(t + 1),
                state["tokens"].at[:, :, t].set(end),
                jnp.full((batch, beams), t + 1, jnp.int32),
            ),
        )
        scores, places = jax.lax.top_k(total.at[..., end].set(-jnp.inf).reshape(batch, -1), beams)
        parent, token = places // size, places % size
        tokens = state["tokens"][rows, parent].at[:, :, t].set(token.astype(jnp.int32))
        chosen = (rows * beams + parent).reshape(-1)
        carry = jax.tree.map(lambda leaf: leaf[chosen], carry)
        names = ("ended", "ended_tokens", "ended_lengths")
        return dict(zip(names, ended, strict=True)) | {"carry": carry, "tokens": tokens, "scores": scores, "t": t + 1}

    def may_improve(state: dict[str, Any]) -> jax.Array:
        # Log probabilities only fall, so an open sequence ends at best with what it has, over the largest penalty.
        bound = state["scores"].max(-1) / penalty(steps)
        return (state["t"] < steps) & (bound > state["ended"].min(-1)).any()

    tokens = jnp.zeros((batch, beams, steps), jnp.int32)
    nothing = jnp.full((batch, beams), -jnp.inf)
    state = {
        "t": jnp.int32(0),
        "carry": repeat_rows(carry, beams),
        "tokens": tokens,
        "scores": nothing.at[:, 0].set(0.0),  # all begin alike: only the first counts
        "ended": nothing,
        "ended_tokens": tokens,
        "ended_lengths": jnp.zeros((batch, beams), jnp.int32),
    }
    state = jax.lax.while_loop(may_improve, lambda state: advance(state["t"], state), state)
    # Only where nothing has ended do sequences without an end count: any ended one goes before them.
    none_ended = jnp.isneginf(state["ended"]).all(-1, keepdims=True)
    open_scores = jnp.where(none_ended, state["scores"] / penalty(steps), -jnp.inf)
    scores, tokens, lengths = _best(
        beams,
        (state["ended"], state["ended_tokens"], state["ended_lengths"]),
        (open_scores, state["tokens"], jnp.full((batch, beams), steps, jnp.int32)),
    )
    return Beams(tokens, jnp.where(jnp.isneginf(scores), 0, lengths), scores)


def greedy_search(
    step: Step, carry: Carry, *, begin: int, end: int, steps: int, forbidden: tuple[int, ...] = ()
) -> Beams:
    """Write the likeliest token at each step, until `end`: one sequence a row, K = 1; its score is log p(y).

    Arguments as in `beam_search`.
    """
    check_size("steps", steps)
    batch = jax.tree.leaves(carry)[0].shape[0]

    def advance(state, _):
        carry, last, ended, score, length = state
        carry, logits = step(carry, last)
        logs = _without(jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1), forbidden)
        token = jnp.where(ended, 0, jnp.argmax(logs, axis=-1)).astype(jnp.int32)
        score = score + jnp.where(ended, 0.0, logs.max(-1))
        return (carry, token, ended | (token == end), score, length + (~ended).astype(jnp.int32)), token

    nothing = jnp.zeros((batch,), jnp.int32)
    start = (carry, nothing + begin, nothing == 1, jnp.zeros((batch,)), nothing)
    (*_, score, length), tokens = jax.lax.scan(advance, start, length=steps)
    return Beams(tokens.T[:, None], length[:, None], score[:, None])


def _without(logs: jax.Array, tokens: tuple[int, ...]) -> jax.Array:
    return logs.at[..., jnp.array(tokens, jnp.int32)].set(-jnp.inf) if tokens else logs


def repeat_rows(tree: Any, times: int) -> Any:
    """Every row of every leaf `[B, ...]` so many times, one after the other: `[B · times, ...]`."""
    return jax.tree.map(lambda leaf: jnp.repeat(leaf, times, axis=0), tree)


def _best(count: int, *groups: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """The `count` entries with the highest scores, the first array, of all groups, along axis 1."""
    joined = [jnp.concatenate(parts, axis=1) for parts in zip(*groups, strict=True)]
    scores, places = jax.lax.top_k(joined[0], count)
    rows = jnp.arange(len(places))[:, None]
    return scores, *(array[rows, places] for array in joined[1:])
