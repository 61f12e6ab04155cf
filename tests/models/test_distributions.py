"""Distributions against SciPy in float64: likelihoods, their gradients, quantiles and samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from rnn_jax.models.distributions import NegativeBinomial, NormalMixture, StudentT, distribution_nats

RNG = np.random.default_rng(0)
SHAPE = (5, 4)
LEVELS = (0.05, 0.5, 0.9)


def uniform(low: float, high: float, *shape: int) -> np.ndarray:
    return RNG.uniform(low, high, shape or SHAPE).astype(np.float32)


def mixture_log_prob(logits, mean, std, values):
    parts = special.log_softmax(logits, axis=-1) + stats.norm.logpdf(values[..., None], mean, std)
    return special.logsumexp(parts, axis=-1)


CASES = {
    "student t": (
        StudentT(uniform(-2, 2), uniform(0.1, 3), uniform(2, 20)),
        lambda loc, scale, df, values: stats.t.logpdf(values, df, loc, scale),
        uniform(-8, 8),
    ),
    "negative binomial": (
        NegativeBinomial(uniform(0.1, 60), uniform(0.01, 3)),
        lambda mean, a, values: stats.nbinom.logpmf(values, 1 / a, 1 / (1 + a * mean)),
        RNG.integers(0, 80, SHAPE).astype(np.float32),
    ),
    "mixture": (
        NormalMixture(uniform(-1, 1, *SHAPE, 3), uniform(-3, 3, *SHAPE, 3), uniform(0.2, 2, *SHAPE, 3)),
        mixture_log_prob,
        uniform(-4, 4),
    ),
}
every_case = pytest.mark.parametrize(("found", "wanted", "values"), CASES.values(), ids=list(CASES))


@every_case
def test_the_likelihood_is_that_of_scipy(found, wanted, values):
    exact = wanted(*(np.asarray(one, np.float64) for one in found), values.astype(np.float64))
    np.testing.assert_allclose(jax.jit(found.log_prob)(values), exact, rtol=2e-5, atol=2e-5)
    weights = RNG.integers(0, 3, SHAPE).astype(np.float32)
    total, count = distribution_nats(found, np.where(weights > 0, values, np.nan), weights)
    np.testing.assert_allclose(total, -(exact * weights).sum(), rtol=1e-5)
    assert float(count) == weights.sum()


@pytest.mark.exhaustive(but=2)
@every_case
def test_the_gradient_is_that_of_scipy(found, wanted, values):
    """Central differences of the float64 oracle, in each parameter."""
    gradients = jax.grad(lambda parameters: parameters.log_prob(values).sum())(jax.tree.map(jnp.asarray, found))
    parameters = [np.asarray(one, np.float64) for one in found]
    for i, gradient in enumerate(gradients):
        for index in np.ndindex(parameters[i].shape):
            sides = []
            for step in (-1e-6, 1e-6):
                moved = [one.copy() for one in parameters]
                moved[i][index] += step
                sides.append(wanted(*moved, values.astype(np.float64))[index[:2]])
            assert (sides[1] - sides[0]) / 2e-6 == pytest.approx(float(gradient[index]), rel=2e-3, abs=2e-3)


@every_case
def test_what_does_not_count_has_no_gradient(found, wanted, values):
    nothing = np.full(SHAPE, np.nan, np.float32)
    gradients = jax.grad(lambda p: distribution_nats(p, nothing, np.zeros(SHAPE, np.float32))[0])(
        jax.tree.map(jnp.asarray, found)
    )
    assert all((np.asarray(one) == 0).all() for one in gradients)


@pytest.mark.exhaustive(but=1)
@every_case
def test_samples_are_of_the_distribution(found, wanted, values):
    """Shares below the quantiles, and the mean, over 4,000 draws; the quantiles are those of the distribution."""
    keys = jax.random.split(jax.random.key(0), 4000)
    samples = np.asarray(jax.vmap(found.sample)(keys), np.float64)
    quantiles = found.quantiles(LEVELS)
    assert quantiles.shape == (*SHAPE, 3)
    below = (samples[..., None] <= quantiles).mean(axis=0)
    under = (samples[..., None] < quantiles).mean(axis=0)
    assert (under - 0.035 < LEVELS).all() and (below + 0.035 > LEVELS).all()
    spread = samples.std(axis=0) / 4000**0.5
    assert (np.abs(samples.mean(axis=0) - np.asarray(found.expected)) < 5 * spread).all()


def test_a_sample_of_counts_is_counts():
    drawn = np.asarray(NegativeBinomial(uniform(0.1, 50), uniform(0.1, 2)).sample(jax.random.key(1)))
    assert (drawn == np.round(drawn)).all() and drawn.min() >= 0
