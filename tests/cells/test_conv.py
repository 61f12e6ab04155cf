"""Convolutional cells in 1 to 3 dims, with peepholes, and over a space of one pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.testing import Example, check_reference
from tests.cells.references import convolutional

D, H = 2, 3


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (rnn_jax.ConvLSTM(D, H, spatial_shape=(5,)), convolutional.conv_lstm),
        (rnn_jax.ConvLSTM(D, H, spatial_shape=(3, 4), kernel_size=5, peepholes=True), convolutional.conv_lstm),
        (rnn_jax.ConvLSTM(D, H, spatial_shape=(2, 3, 2)), convolutional.conv_lstm),
        (rnn_jax.ConvGRU(D, H, spatial_shape=(5,), kernel_size=1), convolutional.conv_gru),
        (rnn_jax.ConvGRU(D, H, spatial_shape=(2, 3, 2)), convolutional.conv_gru),
    ],
)
def test_every_number_of_dims_follows_the_equations(x64, cell, reference):
    check_reference(Example.draw(cell, jax.random.key(0)), reference)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        (rnn_jax.ConvLSTM(D, H, spatial_shape=(1, 1)), rnn_jax.LSTM(D, H)),
        (rnn_jax.ConvGRU(D, H, spatial_shape=(1, 1)), rnn_jax.GRUResetBefore(D, H)),
    ],
)
def test_over_one_pixel_it_is_the_plain_cell(x64, cell, plain):
    example = Example.draw(cell, jax.random.key(0))
    params = {
        "input": {"kernel": example.params["input"]["kernel"][1, 1], "bias": example.params["input"]["bias"]},
        "recurrent": {"kernel": example.params["recurrent"]["kernel"][1, 1]},
    }
    carry = jax.tree.map(lambda a: a[:, 0, 0], example.carry)
    wanted = rnn_jax.unroll(plain, params, example.xs[:, :, 0, 0], carry).ys
    np.testing.assert_allclose(example.run(example.xs).ys[:, :, 0, 0], wanted, rtol=1e-12, atol=1e-12)


def test_initial_values():
    params = rnn_jax.ConvLSTM(D, H, forget_bias=2.0, peepholes=True).init(jax.random.key(0))
    assert params["input"]["bias"].tolist() == [0] * H + [2] * H + [0] * 2 * H
    assert params["peephole"]["kernel"].shape == (4, 4, 3 * H) and not params["peephole"]["kernel"].any()
    for gate in jnp.split(params["recurrent"]["kernel"].reshape(9 * H, 4 * H), 4, axis=1):
        np.testing.assert_allclose(gate.T @ gate, np.eye(H), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.ConvLSTM(D, H, spatial_shape=()), r"spatial_shape=\(\): expected a tuple of 1 to 3 sizes"),
        (lambda: rnn_jax.ConvGRU(D, H, spatial_shape=(2, 0)), "spatial_shape=0: expected an int"),
        (lambda: rnn_jax.ConvGRU(D, H, kernel_size=0), "kernel_size=0"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
