"""ONNX models written as text, for tests."""

import numpy as np
import pytest

import rnn_jax
from rnn_jax.interop.onnx import to_onnx
from tests.interop import parity

needs_onnx = pytest.mark.skipif(not parity.installed("onnx"), reason="onnx is not installed")
LSTM, GRU = rnn_jax.LSTM(2, 3), rnn_jax.GRU(2, 3)


def model_of(text: str, **arrays):
    """A model from ONNX's own textual form, with arrays stored in it; `opset` is the version of its operators."""
    import onnx

    opset = arrays.pop("opset", 14)
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]>\nnet {text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items())
    return model


def weights_in(cell, params):
    """The weights of `to_onnx`, by their names there."""
    import onnx

    stored = [one for one in to_onnx(cell, params).graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
    return {one.name.replace(".", "_"): onnx.numpy_helper.to_array(one) for one in stored}
