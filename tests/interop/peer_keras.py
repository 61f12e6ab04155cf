"""The cases for Keras, and its side of them (on its JAX backend)."""

import contextlib
import os
from typing import Any

import jax
import jax.numpy as jnp

import rnn_jax
from rnn_jax.interop.keras import params_from_weights, weights_from_params
from tests.interop import parity
from tests.interop.parity import Case, Draw

write, read = weights_from_params, params_from_weights

os.environ.setdefault("KERAS_BACKEND", "jax")

CASES = [
    Case(name, "keras", 100 + seed, {"layers": layers})
    for seed, (name, layers) in enumerate(
        {
            "simple": [("SimpleRNN", {})],
            "simple_relu_no_bias": [("SimpleRNN", {"activation": "relu", "use_bias": False})],
            "lstm": [("LSTM", {})],
            "lstm_both_no_bias": [("LSTM", {"use_bias": False, "both": True})],
            "gru": [("GRU", {})],
            "gru_before": [("GRU", {"reset_after": False})],
            "gru_both_then_lstm": [("GRU", {"both": True, "use_bias": False}), ("LSTM", {})],
        }.items()
    )
]

ZEROS = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}  # drawing them takes a second a layer


def expected_cell(case: Case) -> rnn_jax.Cell:
    *_, size, hidden = case.sizes
    layers: list[rnn_jax.Cell] = []
    for kind, options in case.options["layers"]:
        keep = {"bias": options.get("use_bias", True)}
        if kind == "SimpleRNN":
            keep["activation"] = options.get("activation", "tanh")
        make = {"SimpleRNN": rnn_jax.Elman, "LSTM": rnn_jax.LSTM, "GRU": rnn_jax.GRU}[kind]
        if not options.get("reset_after", True):
            make = rnn_jax.GRUResetBefore
        cell = make(layers[-1].output_size if layers else size, hidden, **keep)
        layers.append(rnn_jax.Bidirectional(cell) if "both" in options else cell)
    return layers[0] if len(layers) == 1 else rnn_jax.Stack(layers)


@contextlib.contextmanager
def keras_rules():
    """Keras relies on JAX's usual promotion, which the tests of this library forbid."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def make_layers(case: Case, dtype: str) -> list[Any]:
    import keras

    layers = []
    *_, size, hidden = case.sizes
    with keras_rules():
        for kind, options in case.options["layers"]:
            options = {"return_sequences": True, "return_state": True, "dtype": dtype, **ZEROS, **options}
            both = options.pop("both", False)
            layer = getattr(keras.layers, kind)(hidden, **options)
            layers.append(keras.layers.Bidirectional(layer, dtype=dtype) if both else layer)
            layers[-1].build((None, None, size))
            size = 2 * hidden if both else hidden
            for inner in (layers[-1].forward_layer, layers[-1].backward_layer) if both else layers[-1:]:
                if dtype == "float64" and inner.activation is keras.activations.tanh:
                    # Keras's own tanh rounds float64 to float32, on every backend but TensorFlow's.
                    inner.cell.activation = jnp.tanh
    return layers


def run(case: Case, drawn: Draw) -> dict[str, Any]:
    layers = make_layers(case, str(drawn.xs.dtype))

    def unroll(weights, xs, carry):
        ys, after, weights, carry = xs.swapaxes(0, 1), [], list(weights), list(carry)
        for layer, (kind, options) in zip(layers, case.options["layers"], strict=True):
            states = (2 if kind == "LSTM" else 1) * (2 if "both" in options else 1)
            mine, weights = weights[: len(layer.weights)], weights[len(layer.weights) :]
            start, carry = carry[:states], carry[states:]
            (ys, *states), _ = layer.stateless_call(mine, layer.non_trainable_variables, ys, initial_state=start)
            after += states
        return ys.swapaxes(0, 1), after

    with keras_rules():
        return parity.with_gradients(unroll, drawn)
