"""Losses over sequences, as sums and counts: means over parts of a sequence then add up exactly."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax

from rnn_jax.typing import Array, Bool, Float, Int, Num

Weights = Num[Array, "*B"] | Bool[Array, "*B"]
Total = tuple[Float[jax.Array, ""], Float[jax.Array, ""]]
"""A sum, and what it is summed over."""


def token_cross_entropy(
    logits: Float[Array, "*B V"], targets: Int[Array, "*B"], weights: Weights | None = None, *, smoothing: float = 0.0
) -> Total:
    """The summed negative log likelihood of tokens in nats, and how many tokens it is summed over.

    Args:
        logits: `[..., V]`; computed on in float32.
        targets: int `[...]`.
        weights: `[...]`, 0 where a target does not count; ones by default.
        smoothing: ε, the share of a target's probability that is spread evenly over all tokens (Szegedy et al. 2015,
            arXiv:1512.00567, section 7). The sum is then a cross entropy, no longer a likelihood.

    Returns:
        Two float32 scalars; their quotient is nats per token.
    """
    logits = jnp.asarray(logits, jnp.float32)
    if weights is not None:
        # Before the loss, not after it: what is not counted must not reach the gradient either, where 0 · NaN is NaN.
        weights = jnp.asarray(weights, jnp.float32)
        logits = jnp.where(jnp.broadcast_to(weights[..., None] > 0, logits.shape), logits, 0.0)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    if smoothing:
        even = jax.nn.logsumexp(logits, axis=-1) - logits.mean(-1)
        losses = (1 - smoothing) * losses + smoothing * even
    if weights is None:
        return losses.sum(), jnp.float32(losses.size)
    return (losses * weights).sum(), weights.sum()


def binary_cross_entropy(
    logits: Float[Array, "*B K"], targets: Num[Array, "*B K"] | Bool[Array, "*B K"], weights: Weights | None = None
) -> Total:
    """The summed negative log likelihood of vectors of independent bits in nats, and how many vectors there are.

    Args:
        logits: `[..., K]` of each bit; computed on in float32.
        targets: `[..., K]`, from 0 to 1.
        weights: `[...]`, 0 where a vector does not count; ones by default.

    Returns:
        Two float32 scalars; their quotient is nats per vector, the sum over its K bits.
    """
    logits = jnp.asarray(logits, jnp.float32)
    if weights is not None:
        weights = jnp.asarray(weights, jnp.float32)
        logits = jnp.where(jnp.broadcast_to(weights[..., None] > 0, logits.shape), logits, 0.0)
    losses = optax.sigmoid_binary_cross_entropy(logits, jnp.asarray(targets, jnp.float32)).sum(-1)
    if weights is None:
        return losses.sum(), jnp.float32(losses.size)
    return (losses * weights).sum(), weights.sum()


def pinball_loss(quantiles: Float[Array, "*B Q"], targets: Float[Array, "*B"], levels: Sequence[float]) -> Total:
    """The summed pinball loss of quantiles, the mean over the levels, and how many targets it is summed over.

    A quantile at level τ costs τ for each unit that it is too low, and 1 − τ for each that it is too high (Koenker &
    Bassett 1978); at 0.5 that is half of the absolute error.

    Args:
        quantiles: `[..., Q]`.
        targets: `[...]`; NaN is left out.
        levels: Q numbers between 0 and 1.

    Returns:
        Two float32 scalars.
    """
    known, targets = _known(targets)
    above = targets[..., None] - quantiles
    at = jnp.array(levels, jnp.float32).reshape(*(1,) * targets.ndim, -1)
    losses = jnp.maximum(at * above, (at - 1) * above).mean(-1)
    return jnp.where(known, losses, 0.0).sum(), known.sum().astype(jnp.float32)


def qlike_loss(log_variance: Float[Array, "*B"], squares: Float[Array, "*B"]) -> Total:
    """The summed QLIKE loss of variances, σ²/h + log h, and how many squares it is summed over.

    Its least expected value is at the true variance, also where only squared returns are seen, which are noisy (Patton
    2011, "Volatility forecast comparison using imperfect volatility proxies").

    Args:
        log_variance: `[...]`, the natural logarithm of h.
        squares: `[...]`, what was seen of σ²; NaN is left out.

    Returns:
        Two float32 scalars.
    """
    known, squares = _known(squares)
    losses = squares * jnp.exp(-log_variance) + log_variance
    return jnp.where(known, losses, 0.0).sum(), known.sum().astype(jnp.float32)


def _known(targets: Float[Array, "*B"]) -> tuple[Bool[jax.Array, "*B"], Float[jax.Array, "*B"]]:
    """Where targets are no NaN, and targets with 0 in its place, so that no NaN reaches a gradient."""
    targets = jnp.asarray(targets, jnp.float32)
    known = ~jnp.isnan(targets)
    return known, jnp.where(known, targets, 0.0)
