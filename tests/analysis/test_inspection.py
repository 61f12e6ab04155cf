"""Pages about models whose insides are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from experiments.state_tracking.data import Parity
from rnn_jax.analysis import inspection
from rnn_jax.analysis.tracing import NotApplicable, layer_inputs, trace_layers
from rnn_jax.nnx import Recurrent
from tests.analysis.hand_built import PARITY, built

XS = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3, 2)).astype(np.float32))


@pytest.fixture(scope="module")
def score():
    layer = Recurrent(rnn_jax.Stack([rnn_jax.Elman(2, 4), rnn_jax.LSTM(4, 3)]), rngs=nnx.Rngs(0))
    return lambda: (layer(XS, lengths=np.array([6, 4, 1])).ys ** 2).sum()


@pytest.mark.exhaustive
def test_every_page_of_a_model_of_two_layers(score, tmp_path):
    _, traces = trace_layers(score)
    said = inspection.gates_page(traces, tmp_path / "gates.png", row=1, steps="abcdef", shown=4)
    assert said.startswith("1 LSTM: i ") and "0 Elman" not in said and ", g " not in said
    assert "of the variance of 6 numbers" in inspection.states_page(traces, tmp_path / "states.png")
    said = inspection.flow_page(score, tmp_path / "flow.png", 7)
    assert said.startswith("0 Elman: 0.") and "; 1 LSTM: 0." in said
    text = inspection.saliency_page(score, tmp_path / "saliency.png", row=2, steps=list("abcdef"))
    assert "'a' +" in text and "'b' -0" not in text.replace("'b' +0", "'b' 0"), "past its length a row has no say"
    for file in ("gates-1", "states", "flow", "saliency"):
        assert (tmp_path / f"{file}.png").stat().st_size > 5_000


def test_padding_is_not_drawn_as_if_it_were_data(tmp_path, monkeypatch):
    layer = Recurrent(rnn_jax.LSTM(2, 3), rngs=nnx.Rngs(0))
    xs = jnp.concatenate([XS, XS])

    def score(lengths=(6, 4, 1)):
        return (layer(xs, lengths=np.array(lengths)).ys ** 2).sum()

    drawn = {}
    for name in ("draw_gates", "draw_steps", "draw_gradient_flow"):
        monkeypatch.setattr(inspection, name, lambda measures, *_, name=name: drawn.update({name: measures}))
    _, traces = trace_layers(score)
    inspection.gates_page(traces, tmp_path / "gates.png", row=1)
    inspection.saliency_page(score, tmp_path / "saliency.png", row=1)
    inspection.flow_page(score, tmp_path / "flow.png", 7)
    assert {len(values) for values in drawn["draw_gates"].values()} == {4}
    assert {len(values) for values in drawn["draw_steps"].values()} == {4}
    assert len(drawn["draw_gradient_flow"]["0 LSTM"][7]) == 6
    with pytest.raises(NotApplicable, match="row 1 has no steps"):
        inspection.gates_page(trace_layers(lambda: score((6, 0, 1)))[1], tmp_path / "gates.png", row=1)


def test_a_score_as_a_function_of_what_the_first_layer_reads(score):
    inputs, of_inputs = layer_inputs(score)
    np.testing.assert_array_equal(inputs[:, 0], XS[:, 0])
    assert of_inputs(inputs) == score() != of_inputs(2 * inputs)


def test_what_does_not_apply_says_why(tmp_path):
    elman = Recurrent(rnn_jax.Elman(2, 4), rngs=nnx.Rngs(0))
    _, traces = trace_layers(lambda: elman(XS[:, :1]).ys)
    with pytest.raises(NotApplicable, match="0 Elman: no gates with a name"):
        inspection.gates_page(traces, tmp_path / "gates.png")
    with pytest.raises(NotApplicable, match="no recurrent layer"):
        inspection.states_page([], tmp_path / "states.png")
    with pytest.raises(NotApplicable, match="no recurrent layer"):
        layer_inputs(lambda: jnp.float32(0))
    with pytest.raises(NotApplicable, match="has no pattern"):
        inspection.pattern_units_page("\n" * 6, traces, tmp_path / "units.png")
    with pytest.raises(NotApplicable, match="the inputs are no tokens"):
        inspection.automaton_page(elman, object(), jax.random.key(0), 5)


@pytest.mark.exhaustive
def test_a_network_built_for_parity_is_parity():
    cell, params, first = built(PARITY)
    layer = Recurrent(cell, rngs=nnx.Rngs(0))
    layer.params = nnx.data(jax.tree.map(nnx.Param, params))
    outputs = jnp.asarray(PARITY.outputs)[jnp.asarray(PARITY.transitions.ravel())]

    def model(inputs):
        carry = jnp.broadcast_to(first[None], (inputs.shape[1], len(first)))
        return layer(jax.nn.one_hot(inputs, 2), carry).ys @ jax.nn.one_hot(outputs, 2)

    said = inspection.automaton_page(model, Parity(), jax.random.key(0), 12)
    assert said.startswith("2 states; on other sequences of 12 steps it says what the network says in 100.00% of the")
    assert "right in 100.00% (the network: 100.00%)" in said and said.count("\n") == 3
    opposite = inspection.automaton_page(lambda inputs: -model(inputs), Parity(), jax.random.key(1), 12)
    assert opposite.startswith("2 states;") and "right in 0.00% (the network: 0.00%)" in opposite
