"""Losses over sequences, as sums and counts: means over parts of a sequence then add up exactly."""

import jax
import jax.numpy as jnp
import optax

from rnn_jax.typing import Array


def token_cross_entropy(logits: Array, targets: Array, weights: Array | None = None) -> tuple[jax.Array, jax.Array]:
    """The summed negative log likelihood of tokens in nats, and how many tokens it is summed over.

    Args:
        logits: ``[..., V]``; computed on in float32.
        targets: int ``[...]``.
        weights: ``[...]``, 0 where a target does not count; ones by default.

    Returns:
        Two float32 scalars; their quotient is nats per token.
    """
    losses = optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits, jnp.float32), targets)
    if weights is None:
        return losses.sum(), jnp.float32(losses.size)
    weights = jnp.asarray(weights, jnp.float32)
    # where, not a product: a weight of 0 must also silence an infinite loss.
    return jnp.where(weights > 0, losses * weights, 0.0).sum(), weights.sum()
