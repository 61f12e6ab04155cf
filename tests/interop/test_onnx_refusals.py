"""What ONNX or the cells cannot express, and what is no model, is refused by name."""

import contextlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_jax
from rnn_jax.interop.onnx import from_onnx, to_onnx
from tests.interop import parity
from tests.interop.onnx_models import GRU, LSTM, model_of, needs_onnx, weights_in


@needs_onnx
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Y = LSTM <clip = 1.0> (xs, W, R, B)", r"LSTM 'Y' has clip=1.0, which no cell has"),
        ("Y = LSTM <activation_alpha = [0.5]> (xs, W, R, B)", r"LSTM 'Y' has activation_alpha=\[0.5\], which no cell"),
        ('Y = LSTM <activations = ["HardSigmoid", "Tanh", "Tanh"]> (xs, W, R, B)', "activations=.*hardsigmoid"),
        ('Y = LSTM <activations = ["Sigmoid", "Tanh"]> (xs, W, R, B)', "activations="),
        ('Y = LSTM <direction = "sideways"> (xs, W, R, B)', "direction='sideways', which is not supported"),
        ("Y = LSTM <hidden_size = 4> (xs, W, R, B)", r"hidden_size=4 and weights W \[12, 2\], R \[12, 3\]"),
        ("Y = LSTM <layout = 2> (xs, W, R, B)", "layout=2, which is not supported: expected 0 or 1"),
        (
            'Y = LSTM <direction = "bidirectional"> (xs, W, R, B)',
            r"W of LSTM 'Y' has shape \[1, 12, 2\]: expected",
        ),
        ("Y = LSTM (xs, W, R, R)", r"B of LSTM 'Y' has shape \[1, 12, 3\]: expected 2 dims"),
        ("Y = LSTM (xs, W, R, P)", r"LSTM 'Y': B has shape \[9\], expected \[24\]"),
        ("Y = GRU (xs, W, R)", r"hidden_size=not given and weights W \[12, 2\]"),
        ("Y = LSTM (xs, given, R, B)", "W of LSTM 'Y' is not stored in the model"),
        ("Y = LSTM (xs, W, R, B, lens)", "sequence_lens of LSTM 'Y' is a constant: make it an input of the graph"),
        ("Y = LSTM (xs, W, R, B, , W)", "initial_h of LSTM 'Y' is a constant: make it an input of the graph"),
        ("a, h = LSTM (xs, W, R, B) Y = LSTM (xs, W, R, B, , h)", "initial_h of LSTM 'Y' is computed in the model"),
        ("a = Tanh (xs) Y = LSTM (a, W, R, B)", "X of LSTM 'Y' depends on Tanh 'a'"),
        ("a = LSTM (xs, W, R, B) Y = LSTM (a, W, R, B)", "X of LSTM 'Y' is stream with axes 0, N, 1, F"),
        ("a = LSTM (xs, W, R, B) Y = Relu (a)", "output 'Y' depends on Relu 'a|output 'Y' depends on Relu 'Y'"),
        ("a = LSTM (xs, W, R, B) Y = LSTM (xs, W, R, B)", "not one chain of layers: LSTM 'a' are not in it"),
        ("Y = Transpose <perm = [1, 0, 2]> (xs)", "not one chain of layers: there is no LSTM, GRU or RNN"),
        ("Y = Nothing (xs)", "model is not a valid ONNX model"),
    ],
)
def test_what_no_cell_has_is_refused_by_name(body, message):
    arrays = weights_in(rnn_jax.PeepholeLSTM(2, 3), parity.random_params(rnn_jax.PeepholeLSTM(2, 3)))
    model = model_of(
        f"(float[time, batch, 2] xs, float[1, 12, 2] given) => (float[time, one, batch, 3] Y) {{ {body} }}",
        lens=np.array([1], np.int32),
        **arrays,
    )
    with pytest.raises(ValueError, match=message):
        from_onnx(model)


@needs_onnx
@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such file"), (b"no model", "cannot be read as an ONNX model|not a valid ONNX model"),
     (b"", "not a valid ONNX model")],
)  # fmt: skip
def test_what_is_no_model_is_told(tmp_path, content, message):
    if content is not None:
        (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        from_onnx(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="model has type int: expected a path"):
        from_onnx(3)


@pytest.fixture(scope="module")
def whole():
    cell = rnn_jax.Bidirectional(rnn_jax.LSTM(1, 1), merge="sum")
    params = jax.tree.map(np.asarray, parity.random_params(cell))  # arrays of NumPy are params too
    return to_onnx(cell, params).SerializeToString()


@needs_onnx
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_model_with_other_bytes_is_refused_or_read(whole, tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "other.onnx"
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytes([data.draw(st.integers(0, 255))])
    rest = whole[place + 1 :]
    file.write_bytes(whole[:place] + data.draw(st.sampled_from([b"", changed + rest, rest])))
    with contextlib.suppress(ValueError):
        from_onnx(file)


@needs_onnx
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            rnn_jax.LayerNormLSTM(2, 3),
            "LayerNormLSTM.*ONNX has no layer that is its equal.*save_program writes",
        ),
        (rnn_jax.LSTM(2, 3, layer_norm=True), "ONNX has no layer with layer_norm=True"),
        (rnn_jax.LSTM(2, 3, without=("output_gate",)), r"ONNX has no layer with without=\('output_gate',\)"),
        (rnn_jax.LSTMP(2, 3), r"LSTMP.*ONNX has no layer"),
        (rnn_jax.Zoneout(LSTM, 0.1), r"Zoneout.*ONNX has no layer"),
        (rnn_jax.Stack([GRU, rnn_jax.MGU(3, 3)]), r"MGU.*ONNX has no layer"),
    ],
)
def test_cells_that_onnx_has_not_are_refused(cell, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        to_onnx(cell, parity.random_params(cell), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@needs_onnx
def test_other_opsets_dtypes_and_params_are_refused():
    params = parity.random_params(LSTM)
    for opset in (13, 999):
        with pytest.raises(ValueError, match=f"opset={opset}: expected 14 to"):
            to_onnx(LSTM, params, opset=opset)
    with pytest.raises(ValueError, match="params have dtypes bfloat16: expected float32"):
        to_onnx(LSTM, jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params))
    with pytest.raises(ValueError, match=r"params of GRU.*input.kernel has shape \[2, 12\], expected \[2, 9\]"):
        to_onnx(GRU, params)


def test_without_the_package_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    for call in (lambda: to_onnx(LSTM, {}), lambda: from_onnx("model.onnx")):
        with pytest.raises(ImportError, match=r'onnx is not installed: pip install .*\[interop\]"'):
            call()
