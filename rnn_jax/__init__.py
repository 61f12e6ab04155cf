"""Recurrent networks in JAX: cells as pure functions, unrolled through time with exact lengths and resets.

The modules `nnx`, `models`, `data`, `train`, `decoding`, `losses`, `metrics`, `interop` and `testing` are imported when
they are first used: `rnn_jax.nnx.Recurrent` works after `import rnn_jax`, which itself needs JAX alone.
"""

import importlib

from rnn_jax.cells import (
    CELLS,
    CFN,
    GRU,
    GRU1,
    GRU2,
    GRU3,
    IRNN,
    JANET,
    LSTM,
    LSTMP,
    MGU,
    RAN,
    RHN,
    STAR,
    UGRNN,
    AntisymmetricRNN,
    CayleyRNN,
    Cell,
    Composite,
    ConvGRU,
    ConvLSTM,
    CoupledLSTM,
    DiagonalCell,
    Elman,
    ExpRNN,
    FastGRNN,
    FastRNN,
    GatedAntisymmetricRNN,
    GatedCell,
    GRUResetBefore,
    HiddenCell,
    IndRNN,
    LayerNormLSTM,
    LiGRU,
    LinearCell,
    LSTMCarry,
    MultiplicativeLSTM,
    Paper,
    PeepholeLSTM,
    citation,
    count_parameters,
    dense,
    describe,
    make_cell,
)
from rnn_jax.compose import Bidirectional, BidirectionalCarry, RecurrentDropout, Residual, Stack, Zoneout, dropout
from rnn_jax.unroll import Unrolled, unroll

__all__ = [
    "CELLS",
    "CFN",
    "GRU",
    "GRU1",
    "GRU2",
    "GRU3",
    "IRNN",
    "JANET",
    "LSTM",
    "LSTMP",
    "MGU",
    "RAN",
    "RHN",
    "STAR",
    "UGRNN",
    "AntisymmetricRNN",
    "Bidirectional",
    "BidirectionalCarry",
    "CayleyRNN",
    "Cell",
    "Composite",
    "ConvGRU",
    "ConvLSTM",
    "CoupledLSTM",
    "DiagonalCell",
    "Elman",
    "ExpRNN",
    "FastGRNN",
    "FastRNN",
    "GRUResetBefore",
    "GatedAntisymmetricRNN",
    "GatedCell",
    "HiddenCell",
    "IndRNN",
    "LSTMCarry",
    "LayerNormLSTM",
    "LiGRU",
    "LinearCell",
    "MultiplicativeLSTM",
    "Paper",
    "PeepholeLSTM",
    "RecurrentDropout",
    "Residual",
    "Stack",
    "Unrolled",
    "Zoneout",
    "citation",
    "count_parameters",
    "dense",
    "describe",
    "dropout",
    "make_cell",
    "unroll",
]
__version__ = "0.1.0"

_MODULES = ("data", "decoding", "interop", "losses", "metrics", "models", "nnx", "testing", "train")


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"rnn_jax.{name}")
    raise AttributeError(f"module 'rnn_jax' has no attribute {name!r}")
