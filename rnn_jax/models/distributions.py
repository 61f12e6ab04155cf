"""Distributions that a model may give for a number beside the normal one: heavy tails, counts, several modes.

Each is a tuple of parameters of one shape, or, for a mixture, with its parts on the last axis. The likelihoods are JAX
functions; quantiles are SciPy's, in float64, and not to be traced.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from rnn_jax.extras import optional_imports
from rnn_jax.losses import Total
from rnn_jax.typing import Array, Bool, Float, Key, Num

LEAST_DISPERSION = 1e-3
"""Of a negative binomial: beneath it float32 cannot tell it from a Poisson distribution."""


class StudentT(NamedTuple):
    """Student's t-distributions, moved and scaled: symmetric, with heavy tails."""

    loc: Float[Array, "*B"]
    scale: Float[Array, "*B"]
    df: Float[Array, "*B"]
    """Degrees of freedom ν: the tails fall as |x|^−(ν + 1)."""

    @property
    def expected(self) -> Float[jax.Array, "*B"]:
        """The mean, for df > 1."""
        return jnp.asarray(self.loc)

    def log_prob(self, values: Float[Array, "*B"]) -> Float[jax.Array, "*B"]:
        """The logarithm of the density at `values`."""
        half = 0.5 * (self.df + 1)
        norm = gammaln(half) - gammaln(0.5 * self.df) - 0.5 * jnp.log(math.pi * self.df) - jnp.log(self.scale)
        return norm - half * jnp.log1p(((values - self.loc) / self.scale) ** 2 / self.df)

    def sample(self, key: Key) -> Float[jax.Array, "*B"]:
        """One value of each, by the polar method of Bailey (1994), which rejects nothing."""
        df, scale = jnp.asarray(self.df), jnp.asarray(self.scale)
        radius_key, angle_key = jax.random.split(key)
        radius = -jnp.log1p(-jax.random.uniform(radius_key, df.shape, df.dtype))  # the logarithm of 1 / uniform
        angle = 2 * math.pi * jax.random.uniform(angle_key, df.shape, df.dtype)
        return jnp.asarray(self.loc) + scale * jnp.sqrt(df * jnp.expm1(2 / df * radius)) * jnp.cos(angle)

    def quantiles(self, levels: Sequence[float]) -> Float[np.ndarray, "*B Q"]:
        """The values below which a share `levels` lies."""
        with optional_imports():
            from scipy import stats

        loc, scale, df = (np.asarray(one, np.float64)[..., None] for one in self)
        return stats.t.ppf(np.asarray(levels), df, loc, scale)


class NegativeBinomial(NamedTuple):
    """Counts with the variance μ + α μ², as in DeepAR (Salinas et al. 2020, arXiv:1704.04110, section 3.1)."""

    mean: Float[Array, "*B"]
    """μ > 0."""
    dispersion: Float[Array, "*B"]
    """α, at least `LEAST_DISPERSION`."""

    @property
    def expected(self) -> Float[jax.Array, "*B"]:
        """μ."""
        return jnp.asarray(self.mean)

    def log_prob(self, values: Float[Array, "*B"]) -> Float[jax.Array, "*B"]:
        """The logarithm of the probability of counts `values`."""
        size, ratio = 1 / self.dispersion, self.dispersion * self.mean
        ways = gammaln(values + size) - gammaln(values + 1) - gammaln(size)
        return ways + values * jnp.log(ratio) - (values + size) * jnp.log1p(ratio)

    def sample(self, key: Key) -> Float[jax.Array, "*B"]:
        """One count of each, as a float: Poisson, its rate drawn from a gamma distribution."""
        rate_key, count_key = jax.random.split(key)
        size = 1 / jnp.asarray(self.dispersion)
        rate = jax.random.gamma(rate_key, size) * self.dispersion * self.mean
        return jax.random.poisson(count_key, rate).astype(size.dtype)

    def quantiles(self, levels: Sequence[float]) -> Float[np.ndarray, "*B Q"]:
        """The least counts up to which a share `levels` lies."""
        with optional_imports():
            from scipy import stats

        mean, dispersion = (np.asarray(one, np.float64)[..., None] for one in self)
        return stats.nbinom.ppf(np.asarray(levels), 1 / dispersion, 1 / (1 + dispersion * mean))


class NormalMixture(NamedTuple):
    """Mixtures of M normal distributions, as of mixture density networks (Bishop 1994)."""

    logits: Float[Array, "*B M"]
    """Of the weights, before their softmax."""
    mean: Float[Array, "*B M"]
    std: Float[Array, "*B M"]

    @property
    def expected(self) -> Float[jax.Array, "*B"]:
        """The mean of the mixture."""
        return (jax.nn.softmax(self.logits) * self.mean).sum(axis=-1)

    def log_prob(self, values: Float[Array, "*B"]) -> Float[jax.Array, "*B"]:
        """The logarithm of the density at `values`."""
        away = (jnp.asarray(values)[..., None] - self.mean) / self.std
        parts = -0.5 * away**2 - jnp.log(self.std) - 0.5 * math.log(2 * math.pi)
        return jax.nn.logsumexp(jax.nn.log_softmax(self.logits) + parts, axis=-1)

    def sample(self, key: Key) -> Float[jax.Array, "*B"]:
        """One value of each."""
        part_key, value_key = jax.random.split(key)
        part = jax.random.categorical(part_key, self.logits)[..., None]
        mean, std = (jnp.take_along_axis(jnp.asarray(one), part, axis=-1)[..., 0] for one in (self.mean, self.std))
        return mean + std * jax.random.normal(value_key, mean.shape, mean.dtype)

    def quantiles(self, levels: Sequence[float]) -> Float[np.ndarray, "*B Q"]:
        """The values below which a share `levels` lies, by bisection between the least and the greatest of a part's."""
        with optional_imports():
            from scipy import special

        logits, mean, std = (np.asarray(one, np.float64)[..., None, :] for one in self)
        weights, at = special.softmax(logits, axis=-1), np.asarray(levels, np.float64)
        ends = mean + std * special.ndtri(at)[:, None]
        low, high = ends.min(axis=-1), ends.max(axis=-1)
        for _ in range(60):
            middle = (low + high) / 2
            below = (weights * special.ndtr((middle[..., None] - mean) / std)).sum(axis=-1) < at
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2


Distribution = StudentT | NegativeBinomial | NormalMixture


def distribution_nats(
    predicted: Distribution, targets: Float[Array, "*B"], weights: Num[Array, "*B"] | Bool[Array, "*B"]
) -> Total:
    """The summed negative log likelihood of numbers in nats, and the sum of their weights.

    Args:
        predicted: distributions `[...]`.
        targets: `[...]`.
        weights: `[...]`, 0 where a target does not count; it may then be anything, NaN too.

    Returns:
        Two float32 scalars.
    """
    weights = jnp.asarray(weights, jnp.float32)
    targets = jnp.where(weights > 0, jnp.asarray(targets, jnp.float32), 0.0)
    return -(predicted.log_prob(targets) * weights).sum(), weights.sum()
