"""To and from other libraries and their files: `rnn_jax.interop.torch`, `.flax`, `.keras`, `.onnx`, `.safetensors`.

A file imports its library only when a function needs it, so reading a PyTorch state dict needs no PyTorch.
"""

import importlib

_MODULES = ("flax", "keras", "onnx", "safetensors", "stablehlo", "torch")


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
