import jax
import numpy as np
import pytest

import rnn_jax
from rnn_jax.interop.keras import from_keras, params_from_weights, to_keras
from tests.interop import parity, peer_keras

needs_keras = pytest.mark.skipif(not parity.installed("keras"), reason="Keras is not installed")


@pytest.mark.exhaustive(but=2)
@needs_keras
@pytest.mark.parametrize("case", peer_keras.CASES, ids=str)
def test_layers_become_the_expected_cell_and_take_its_weights(case):
    cell = peer_keras.expected_cell(case)
    params = parity.random_params(cell)
    layers = peer_keras.make_layers(case, "float32")
    weights = to_keras(cell, params)
    for layer in layers:
        count = len(layer.weights)
        layer.set_weights(weights[:count])
        weights = weights[count:]
    assert not weights
    parity.assert_equal(from_keras(layers[0] if len(layers) == 1 else layers), (cell, params))


@needs_keras
def test_a_sequential_and_double_precision(x64):
    import keras

    options = {"dtype": "float64", **peer_keras.ZEROS}
    with peer_keras.keras_rules():
        layers = [keras.layers.GRU(3, return_sequences=True, **options), keras.layers.LSTM(2, **options)]
        model = keras.Sequential([keras.Input((None, 2), dtype="float64"), *layers])
    cell = rnn_jax.Stack([rnn_jax.GRU(2, 3), rnn_jax.LSTM(3, 2)])
    params = jax.tree.map(lambda leaf: leaf.astype("float64"), parity.random_params(cell))
    model.set_weights(to_keras(cell, params))
    parity.assert_equal(from_keras(model), (cell, params))


def test_many_layers_keep_their_order():
    cell = rnn_jax.Stack([rnn_jax.LSTM(2, 2)] * 5)
    params = parity.random_params(cell)
    parity.assert_equal(params_from_weights(cell, to_keras(cell, params)), params)


def options_of(kind, **options):
    def layer(keras):
        inner = getattr(keras.layers, kind)(3, kernel_initializer="zeros", recurrent_initializer="zeros", **options)
        inner.build((None, None, 2))
        return inner

    return layer


@needs_keras
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            options_of("LSTM", recurrent_activation="hard_sigmoid"),
            "LSTM 'lstm.*' has recurrent_activation='hard_s",
        ),
        (options_of("GRU", activation="relu"), "activation='relu', which is not supported: expected 'tanh'"),
        (options_of("SimpleRNN", activation="elu"), "activation='elu'.*expected 'tanh' or 'relu'"),
        (options_of("SimpleRNN", go_backwards=True), "go_backwards=True.*give reverse=True to unroll"),
        (options_of("LSTM", stateful=True), "stateful=True"),
        (options_of("LSTM", dropout=0.5), "dropout=0.5"),
        (options_of("GRU", recurrent_dropout=0.25), "recurrent_dropout=0.25"),
        (lambda keras: keras.layers.GRU(3), "GRU 'gru.*' has no weights yet: call it once"),
        (lambda keras: keras.layers.Dense(3), "layer is a .*Dense: expected exactly one of keras.layers.SimpleRNN"),
        (lambda keras: type("LSTM", (keras.layers.LSTM,), {})(3), "layer is a tests.interop.test_keras.LSTM: expected"),
        (lambda keras: [options_of("GRU")(keras)] * 2, "layer 0 has return_sequences=False"),
    ],
)
def test_what_has_no_equal_is_refused_by_name(make, message):
    import keras

    with peer_keras.keras_rules(), pytest.raises(ValueError, match=message):
        from_keras(make(keras))


@pytest.mark.exhaustive(but=1)
@needs_keras
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
def test_directions_are_merged_as_in_keras(mode):
    import keras

    xs = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    with peer_keras.keras_rules():
        layer = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True), merge_mode=mode)
        wanted = keras.ops.convert_to_numpy(layer(xs))
    cell, params = from_keras(layer)
    found = rnn_jax.unroll(cell, params, xs, time_axis=1).ys
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@needs_keras
def test_directions_that_are_not_merged_and_masking_are_refused():
    import keras

    with peer_keras.keras_rules():
        layer = keras.layers.Bidirectional(options_of("GRU")(keras), merge_mode=None)
        layer.build((None, None, 2))
        masked = keras.Sequential([keras.layers.Masking(), keras.layers.GRU(3)])
        masked.build((None, 5, 2))
    with pytest.raises(ValueError, match=r"merge_mode=None.*expected 'concat'"):
        from_keras(layer)
    with pytest.raises(ValueError, match=r"Masking 'masking.*leave it out, and give unroll lengths="):
        from_keras(masked)


@pytest.mark.parametrize(
    ("cell", "weights", "message"),
    [
        (rnn_jax.LSTM(2, 3), [(2, 12), (3, 12)], r"weights: weights\[2\] \[12\] is missing"),
        (rnn_jax.LSTM(2, 3, bias=False), [(2, 12), (3, 12), (12,)], r"weights\[2\] is not part of it"),
        (rnn_jax.GRU(2, 3), [(2, 9), (3, 9), (9,)], r"weights\[2\] has shape \[9\], expected \[2, 9\]"),
        (rnn_jax.Residual(rnn_jax.LSTM(3, 3)), [], "Keras has no layer that is its equal"),
        (rnn_jax.LSTM(2, 3, peepholes=True), [], "Keras has no layer with peepholes=True"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(cell, weights, message):
    with pytest.raises(ValueError, match=message):
        params_from_weights(cell, [np.ones(shape, np.float32) for shape in weights])
