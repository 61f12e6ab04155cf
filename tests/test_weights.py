"""Weights that are random in training: noise with the gradient straight through, and DropConnect, once a sequence."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.compose import is_random, noisy_params
from rnn_jax.testing import quick_jit
from rnn_jax.testing.example import initial_params

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


LSTM = rnn_jax.LSTM(2, 48)
unroll = quick_jit(rnn_jax.unroll, static_argnames=("cell", "method"))
XS = np.random.default_rng(0).normal(size=(6, 3, 2)).astype(np.float32)


def test_weight_drop_zeroes_recurrent_weights_alone_at_its_rate_and_scales_the_rest():
    cell = rnn_jax.WeightDrop(rnn_jax.Stack([LSTM, rnn_jax.GRU(48, 32)]), 0.25)
    params = initial_params(cell, jax.random.key(0))
    drawn = cell.drawn(jax.random.key(1), params)
    masks = []
    for layer in ("layer_0", "layer_1"):
        np.testing.assert_array_equal(drawn[layer]["input"]["kernel"], params[layer]["input"]["kernel"])
        kernel, dropped = params[layer]["recurrent"]["kernel"], drawn[layer]["recurrent"]["kernel"]
        masks.append(np.asarray(dropped != 0))
        assert abs(masks[-1].mean() - 0.75) < 0.02
        np.testing.assert_allclose(dropped, np.where(masks[-1], kernel / 0.75, 0), rtol=1e-6)
    assert (masks[0][:32, :96] != masks[1]).any()  # each kernel has its own


@pytest.mark.parametrize(
    "cell",
    [rnn_jax.WeightDrop(LSTM, 0.5), pytest.param(rnn_jax.WeightNoise(LSTM, 0.1), marks=pytest.mark.exhaustive)],
)
def test_weights_are_drawn_once_for_a_sequence_and_all_its_rows_and_only_with_a_key(cell):
    params, same = initial_params(LSTM, jax.random.key(0)), np.repeat(XS[:, :1], 3, axis=1)
    assert is_random(cell) and cell.methods == LSTM.methods
    run = functools.partial(unroll, cell, params)
    np.testing.assert_array_equal(run(XS).ys, unroll(LSTM, params, XS).ys)
    ys = run(same, key=jax.random.key(1)).ys
    np.testing.assert_allclose(ys, np.repeat(ys[:, :1], 3, axis=1), rtol=1e-5, atol=1e-6)
    assert np.any(ys != run(same, key=jax.random.key(2)).ys)
    own, _ = jax.random.split(jax.random.key(1))
    np.testing.assert_allclose(ys, unroll(LSTM, cell.drawn(own, params), same).ys, rtol=1e-5, atol=1e-6)
    newton = run(same, key=jax.random.key(1), method="newton").ys
    np.testing.assert_allclose(ys, newton, rtol=1e-4, atol=1e-5)
    carry = cell.initial_carry((3,))
    np.testing.assert_array_equal(cell(params, carry, XS[0])[1], LSTM(params, carry, XS[0])[1])


def test_what_is_never_trained_has_no_noise():
    cell = rnn_jax.WeightNoise(rnn_jax.Stack([rnn_jax.EchoState(2, 3), rnn_jax.Elman(3, 2)]), 0.1)
    params = initial_params(cell, jax.random.key(0))
    drawn = cell.drawn(jax.random.key(1), params)
    jax.tree.map(np.testing.assert_array_equal, drawn["layer_0"], params["layer_0"])
    assert (drawn["layer_1"]["input"]["bias"] != params["layer_1"]["input"]["bias"]).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.WeightDrop(LSTM, 1.0), "rate=1.0: expected a probability"),
        (lambda: rnn_jax.WeightDrop(rnn_jax.MinGRU(2, 3), 0.5), r"cell=MinGRU.*: expected a cell with a recurrent ker"),
        (lambda: rnn_jax.WeightNoise(LSTM, -0.1), "deviation=-0.1: expected a standard deviation of at least 0"),
    ],
)
def test_errors_of_construction(build, message):
    with pytest.raises(ValueError, match=message):
        build()
