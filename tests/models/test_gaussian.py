"""Gaussian heads: the loss against SciPy, its weighting against the definition, and streams against sequences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.stats import norm

import rnn_jax
from rnn_jax.models.gaussian import LEAST, GaussianModel, Normal, gaussian_nats
from rnn_jax.models.transformer import Transformer
from rnn_jax.nnx import Recurrent

RNG = np.random.default_rng(0)
MEAN, TARGETS = RNG.normal(size=(2, 6, 3)).astype(np.float32)
STD = RNG.uniform(0.1, 2, size=(6, 3)).astype(np.float32)
WEIGHTS = RNG.integers(0, 3, size=(6, 3)).astype(np.float32)


def nats(mean, std, **options):
    return gaussian_nats(Normal(mean, std), TARGETS, WEIGHTS, **options)[0]


def test_the_loss_is_the_likelihood():
    targets = np.where(WEIGHTS > 0, TARGETS, np.nan)
    found, count = gaussian_nats(Normal(jnp.asarray(MEAN), jnp.asarray(STD)), targets, WEIGHTS)
    np.testing.assert_allclose(found, -(norm.logpdf(TARGETS, MEAN, STD) * WEIGHTS).sum(), rtol=1e-5)
    assert float(count) == WEIGHTS.sum()


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_beta_weights_gradients_by_the_deviation(beta):
    one = jax.grad(nats, argnums=(0, 1))(jnp.asarray(MEAN), jnp.asarray(STD), beta=beta)
    plain = jax.grad(nats, argnums=(0, 1))(jnp.asarray(MEAN), jnp.asarray(STD))
    for a, b in zip(one, plain, strict=True):
        np.testing.assert_allclose(a, b * STD ** (2 * beta), rtol=1e-5)
    if beta == 1:  # of the mean: as by half of the squared errors
        np.testing.assert_allclose(one[0], (MEAN - TARGETS) * WEIGHTS, rtol=1e-4, atol=1e-6)


def test_what_does_not_count_has_no_gradient():
    def loss(mean):
        return gaussian_nats(Normal(mean, mean), np.full((2,), np.nan, np.float32), np.zeros(2, np.float32))[0]

    np.testing.assert_array_equal(jax.grad(loss)(jnp.array([np.nan, 0.0])), 0)


@pytest.mark.exhaustive
def test_a_stream_is_the_sequence():
    rngs = nnx.Rngs(params=jax.random.key(0))
    cell = rnn_jax.Stack([rnn_jax.GRU(2, 5), rnn_jax.LSTM(5, 4)])
    model = GaussianModel(Recurrent(cell, rngs=rngs), 3, dropout_rate=0.5, rngs=rngs)
    xs = jnp.asarray(RNG.normal(size=(7, 2, 2)), jnp.float32)
    whole, carry = model(xs), model.initial_carry((2,))
    assert whole.mean.shape == whole.std.shape == (7, 2, 3) and float(whole.std.min()) > LEAST
    for t in range(7):
        carry, found = model.step(carry, xs[t])
        np.testing.assert_allclose(found.mean, whole.mean[t], atol=1e-6)
        np.testing.assert_allclose(found.std, whole.std[t], atol=1e-6)
    assert float(jnp.abs(model(xs, key=jax.random.key(1)).mean - whole.mean).max()) > 1e-3


def test_a_transformer_cannot_be_streamed():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        rngs = nnx.Rngs(params=jax.random.key(0))
        model = GaussianModel(Transformer(2, 4, 1, 2, causal=True, rngs=rngs), rngs=rngs)
    with pytest.raises(ValueError, match="a transformer has no carry to stream with"):
        model.initial_carry()
