"""Token cross-entropy against SciPy, with weights and infinite losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from rnn_jax.losses import token_cross_entropy

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


def test_low_precision_logits_are_summed_in_float32():
    logits = jnp.zeros((1000, 7), jnp.bfloat16)
    total, count = token_cross_entropy(logits, np.zeros(1000, int))
    np.testing.assert_allclose(total, 1000 * np.log(7), rtol=1e-6)
    assert count == 1000
