"""Weights to and from other libraries, one file each: `rnn_jax.interop.torch`, `.flax`, `.keras`.

A file imports its library only when a function needs it, so reading a PyTorch state dict needs no PyTorch.
"""

import importlib

_MODULES = ("flax", "keras", "stablehlo", "torch")


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
