"""Recurrent networks in JAX: cells as pure functions, unrolled through time with exact lengths and resets."""

from rnn_jax.cells import (
    CELLS,
    GRU,
    IRNN,
    LSTM,
    Cell,
    Composite,
    Elman,
    GatedCell,
    GRUResetBefore,
    LSTMCarry,
    count_parameters,
    describe,
    make_cell,
)
from rnn_jax.compose import Bidirectional, BidirectionalCarry, RecurrentDropout, Residual, Stack, Zoneout, dropout
from rnn_jax.unroll import Unrolled, unroll

__all__ = [
    "CELLS",
    "GRU",
    "IRNN",
    "LSTM",
    "Bidirectional",
    "BidirectionalCarry",
    "Cell",
    "Composite",
    "Elman",
    "GRUResetBefore",
    "GatedCell",
    "LSTMCarry",
    "RecurrentDropout",
    "Residual",
    "Stack",
    "Unrolled",
    "Zoneout",
    "count_parameters",
    "describe",
    "dropout",
    "make_cell",
    "unroll",
]
__version__ = "0.1.0"
