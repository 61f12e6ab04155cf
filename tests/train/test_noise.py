"""Weight noise: Gaussian, another one for each key, and the gradient goes straight through."""

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.train.noise import noisy_params

PARAMS = {"kernel": jnp.ones((200, 100)), "bias": jnp.zeros(1000)}


def test_the_noise_has_its_deviation_and_follows_from_the_key():
    first, second = (noisy_params(jax.random.key(seed), PARAMS, 0.25) for seed in (0, 1))
    for name, leaf in PARAMS.items():
        noise = np.asarray(first[name] - leaf)
        assert abs(noise.mean()) < 0.02 and abs(noise.std() - 0.25) < 0.02
        assert (first[name] != second[name]).all()
    assert abs(np.corrcoef(first["bias"], first["kernel"].ravel()[:1000])[0, 1]) < 0.1
    again = noisy_params(jax.random.key(0), PARAMS, 0.25)
    jax.tree.map(np.testing.assert_array_equal, again, first)


def test_gradients_are_those_at_the_noisy_parameters():
    key, square = jax.random.key(0), lambda params: sum((leaf**2).sum() for leaf in jax.tree.leaves(params))
    gradient = jax.grad(lambda params: square(noisy_params(key, params, 0.1)))(PARAMS)
    wanted = jax.grad(square)(noisy_params(jax.random.key(0), PARAMS, 0.1))
    jax.tree.map(np.testing.assert_allclose, gradient, wanted)


def test_no_deviation_changes_nothing():
    assert noisy_params(jax.random.key(0), PARAMS, 0.0) is PARAMS
