"""Distributions as outputs: what their numbers mean, in the scale of a series, against SciPy in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from experiments.forecasting.outputs import LEVELS, OUTPUTS

RNG = np.random.default_rng(0)
SCALE = np.array([1.0, 7.0, 40.0])


def softplus(x):
    return np.log1p(np.exp(x))


def log_prob(output: str, raw: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of scaled values, or of counts."""
    raw = raw.astype(np.float64)
    if output == "student_t":
        return stats.t.logpdf(values, 2 + softplus(raw[..., 2]), raw[..., 0], np.exp(raw[..., 1]) + 0.01)
    if output == "negative_binomial":
        by = SCALE[:, None]
        mean, dispersion = (softplus(raw[..., 0]) + 1e-6) * by, softplus(raw[..., 1]) / by**0.5 + 1e-3
        return stats.nbinom.logpmf(values, 1 / dispersion, 1 / (1 + dispersion * mean))
    mean, std, logits = np.split(raw, 3, axis=-1)
    std = np.exp(std) + 0.01
    mean = mean + np.array([-0.5, 0, 0.5]) * std
    parts = special.log_softmax(logits, axis=-1) + stats.norm.logpdf(values[..., None], mean, std)
    return special.logsumexp(parts, axis=-1)


@pytest.mark.parametrize("output", ["student_t", "negative_binomial", "mixture"])
def test_the_loss_is_the_negative_log_likelihood(output):
    found = OUTPUTS[output]
    raw = RNG.normal(size=(3, 5, found.size)).astype(np.float32)
    counts = RNG.poisson(2 * SCALE[:, None], (3, 5)).astype(float)
    values = counts / SCALE[:, None] if found.counts else RNG.normal(size=(3, 5))
    wanted = log_prob(output, raw, counts if found.counts else values)
    targets = values.astype(np.float32)
    targets[0, 2] = np.nan
    total, count = found.loss(jnp.asarray(raw), targets, SCALE.astype(np.float32))
    np.testing.assert_allclose(total, -(wanted.sum() - wanted[0, 2]), rtol=1e-4)
    assert count == 14
    quantiles = np.asarray(found.quantiles(jnp.asarray(raw), SCALE.astype(np.float32)))
    assert quantiles.shape == (3, 5, len(LEVELS)) and (np.diff(quantiles, axis=-1) >= 0).all()
    if found.counts:
        whole = quantiles * SCALE[:, None, None]
        np.testing.assert_allclose(whole, np.round(whole), atol=1e-4)


def test_the_scaled_mean_of_counts_is_the_point():
    raw, output = jnp.asarray(RNG.normal(size=(3, 5, 2)), jnp.float32), OUTPUTS["negative_binomial"]
    mean = np.asarray(output.distribution(raw, SCALE.astype(np.float32)).mean)
    np.testing.assert_allclose(mean / SCALE[:, None], output.point(raw), rtol=1e-5)


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize("output", ["student_t", "negative_binomial", "mixture"])
def test_training_begins_where_it_makes_sense(output):
    """The constants that go with what a regression leaves: no other place is better."""
    found = OUTPUTS[output]
    sample = RNG.poisson(6, 4000) / 3 if found.counts else RNG.normal(0, 0.7, 4000)
    aimed = found.aim(sample.astype(float))
    begun = found.rest(aimed - aimed.mean())
    assert begun.shape == (found.size,)
    raw = np.tile(begun, (4000, 1)).astype(np.float32)
    raw[:, : found.moved] += np.float32(aimed.mean())
    scale = np.full(4000, 3, np.float32)

    def loss(change: np.ndarray) -> float:
        total, count = found.loss(jnp.asarray(raw + change.astype(np.float32)), sample.astype(np.float32), scale)
        return float(total / count)

    moved = np.zeros(found.size)
    moved[: found.moved] = 1
    assert loss(0 * moved) < min(loss(moved), loss(-moved))
