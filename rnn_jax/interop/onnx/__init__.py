"""Recurrent networks to and from ONNX, by its own operators LSTM, GRU and RNN; what maps to what stands in README.md.

    to_onnx(cell, params, "model.onnx", lengths=True, initial_carry=True)
    cell, params = from_onnx("model.onnx")

Nothing is traced: a layer becomes one operator with weights, so that a runtime uses its own fused kernels, for any
length and any number of rows. The extra `interop` installs the package `onnx`.
"""

from rnn_jax.interop.onnx.read import from_onnx
from rnn_jax.interop.onnx.write import to_onnx

__all__ = ["from_onnx", "to_onnx"]
