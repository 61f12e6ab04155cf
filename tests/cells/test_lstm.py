"""The options of the LSTM: each changes the equations as its paper says, alone and together."""

import jax
import jax.numpy as jnp
import pytest

import rnn_jax
from rnn_jax.testing import Example, check_curvature, check_gradients, check_reference
from tests.cells.references.lstm import full_gate_lstm, variant

PARTS = ("input_gate", "forget_gate", "output_gate", "input_activation", "output_activation")


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    "options",
    [
        *({"without": (part,)} for part in PARTS),
        {"without": PARTS},
        {"coupled": True, "peepholes": True, "without": ("output_gate",)},
        {"layer_norm": True, "peepholes": True, "without": ("forget_gate", "output_activation")},
    ],
    ids=str,
)
def test_options_are_the_papers_equations(x64, options):
    cell = rnn_jax.LSTM(3, 4, **options)
    check_reference(Example.draw(cell, jax.random.key(0)), variant(**options))


@pytest.mark.exhaustive
def test_a_projection_with_every_option(x64):
    options = {"layer_norm": True, "peepholes": True, "coupled": True}
    example = Example.draw(rnn_jax.LSTMP(3, 4, projection_size=2, **options), jax.random.key(0))
    check_reference(example, variant(projected=True, **options))
    check_gradients(example)
    check_curvature(example)


@pytest.mark.exhaustive
def test_full_gate_recurrence_with_peepholes(x64):
    example = Example.draw(rnn_jax.FullGateLSTM(3, 4, peepholes=True), jax.random.key(0))
    check_reference(example, full_gate_lstm)
    check_gradients(example)
    check_curvature(example)


def test_initial_values():
    def bias(cell):
        return cell.init(jax.random.key(0))["input"]["bias"].tolist()

    assert bias(rnn_jax.LSTM(3, 1, forget_bias=1.5)) == [0, 1.5, 0, 0]
    assert bias(rnn_jax.CoupledLSTM(3, 1, forget_bias=1.5)) == [-1.5, 0, 0]
    assert bias(rnn_jax.LSTM(3, 1, without=("input_gate",))) == [1, 0, 0]
    kernel = rnn_jax.LSTMP(3, 8).init(jax.random.key(0))["recurrent"]["kernel"]
    assert kernel.shape == (2, 32)
    for block in jnp.split(kernel, 4, axis=1):
        assert jnp.allclose(block @ block.T, jnp.eye(2), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.LSTM(3, 4, without=("reset_gate",)), "without=.'reset_gate',.*'input_gate'"),
        (lambda: rnn_jax.LSTM(3, 4, coupled=True, without=("forget_gate",)), "coupled=True with without="),
        (lambda: rnn_jax.LSTMP(3, 4, projection_size=0), "projection_size=0"),
        (lambda: rnn_jax.LSTMP(3, 4, projection_size=5), "projection_size=5: expected at most hidden_size=4"),
    ],
)
def test_impossible_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
