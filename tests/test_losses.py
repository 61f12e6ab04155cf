"""Losses against SciPy and their definitions, with weights, missing targets and infinite losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from rnn_jax.losses import binary_cross_entropy, pinball_loss, qlike_loss, token_cross_entropy

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(scale=3, size=(4, 3, 5)).astype(np.float32)
TARGETS = RNG.integers(0, 5, (4, 3))
NATS = -np.take_along_axis(log_softmax(LOGITS.astype(np.float64), axis=-1), TARGETS[..., None], axis=-1)[..., 0]


def test_equals_scipy():
    total, count = token_cross_entropy(LOGITS, TARGETS)
    np.testing.assert_allclose(total, NATS.sum(), rtol=1e-6)
    assert count == NATS.size and total.dtype == count.dtype == jnp.float32


@pytest.mark.parametrize("dtype", [np.float32, np.int32, bool])
def test_weights_are_summed_and_multiplied(dtype):
    weights = RNG.integers(0, 3, TARGETS.shape).astype(dtype)
    total, count = token_cross_entropy(LOGITS, TARGETS, weights)
    np.testing.assert_allclose(total, (NATS * weights).sum(), rtol=1e-6)
    assert float(count) == weights.sum() and total.dtype == count.dtype == jnp.float32


def test_a_weight_of_zero_silences_an_infinite_loss():
    logits, weights = LOGITS.copy(), np.ones(TARGETS.shape, np.float32)
    logits[1, 2, TARGETS[1, 2]] = -np.inf
    assert token_cross_entropy(logits, TARGETS, weights)[0] == np.inf
    weights[1, 2] = 0
    loss = jax.value_and_grad(lambda logits: token_cross_entropy(logits, TARGETS, weights)[0])
    total, gradient = loss(logits)
    np.testing.assert_allclose(total, NATS.sum() - NATS[1, 2], rtol=1e-6)
    assert np.isfinite(gradient).all() and not gradient[1, 2].any()
    logits[1, 2] = np.nan
    assert np.isfinite(loss(logits)[1]).all(), "NaN behind a weight of 0 reached the gradient"


@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_smoothing_spreads_a_share_of_the_target_over_all_tokens(smoothing):
    weights = RNG.integers(0, 3, TARGETS.shape)
    wanted = np.full(LOGITS.shape, smoothing / LOGITS.shape[-1])
    np.put_along_axis(wanted, TARGETS[..., None], 1 - smoothing + smoothing / LOGITS.shape[-1], axis=-1)
    losses = -(wanted * log_softmax(LOGITS.astype(np.float64), axis=-1)).sum(-1)
    total, count = token_cross_entropy(LOGITS, TARGETS, weights, smoothing=smoothing)
    np.testing.assert_allclose(total, (losses * weights).sum(), rtol=1e-5)
    assert float(count) == weights.sum()


def test_low_precision_logits_are_summed_in_float32():
    logits = jnp.zeros((1000, 7), jnp.bfloat16)
    total, count = token_cross_entropy(logits, np.zeros(1000, int))
    np.testing.assert_allclose(total, 1000 * np.log(7), rtol=1e-6)
    assert count == 1000


def test_bits_are_scored_by_their_definition():
    bits, weights = RNG.integers(0, 2, LOGITS.shape), RNG.integers(0, 3, LOGITS.shape[:-1])
    p = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    nats = -np.where(bits, np.log(p), np.log1p(-p)).sum(-1)
    np.testing.assert_allclose(binary_cross_entropy(LOGITS, bits), [nats.sum(), nats.size], rtol=1e-5)
    weighted = binary_cross_entropy(LOGITS, bits, weights)
    np.testing.assert_allclose(weighted, [(nats * weights).sum(), weights.sum()], rtol=1e-5)
    gradient = jax.grad(lambda logits: binary_cross_entropy(logits, bits, weights)[0])(np.full_like(LOGITS, np.nan))
    assert not np.asarray(gradient)[weights == 0].any(), "NaN behind a weight of 0 reached the gradient"


SEEN = np.array([[0.5, np.nan, 2.0], [1.0, 3.0, np.nan]], np.float32)
SAID = RNG.normal(size=(2, 3)).astype(np.float32)


def test_losses_of_forecasts_by_their_definitions():
    known = ~np.isnan(SEEN)
    seen, said = SEEN[known], SAID[known]
    np.testing.assert_allclose(qlike_loss(SAID, SEEN), [(seen / np.exp(said) + said).sum(), 4], rtol=1e-5)
    levels, wanted = (0.1, 0.5), 0.0
    for y, q in zip(seen, said, strict=True):
        wanted += np.mean([level * (y - q) if y > q else (1 - level) * (q - y) for level in levels])
    np.testing.assert_allclose(pinball_loss(SAID[..., None].repeat(2, -1), SEEN, levels), [wanted, 4], rtol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda said: qlike_loss(said, SEEN),
        lambda said: pinball_loss(said[..., None], SEEN, (0.3,)),
    ],
)
def test_a_missing_target_reaches_no_gradient(loss):
    gradient = jax.grad(lambda said: loss(said)[0])(jnp.asarray(SAID))
    assert np.isfinite(gradient).all() and (np.asarray(gradient == 0) == np.isnan(SEEN)).all()
