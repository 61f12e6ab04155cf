"""Every recurrent cell, by class and by name."""

import difflib
import importlib
import os
import sys
from typing import Any

from rnn_jax.cells.base import Cell, Composite, GatedCell, HiddenCell, count_parameters, dense, describe
from rnn_jax.cells.elman import IRNN, Elman
from rnn_jax.cells.gru import GRU, GRUResetBefore
from rnn_jax.cells.linear import DiagonalCell, LinearCell
from rnn_jax.cells.lstm import LSTM, LSTMP, CoupledLSTM, LayerNormLSTM, LSTMCarry, PeepholeLSTM
from rnn_jax.cells.papers import Paper, citation

CELLS: dict[str, type[Any]] = {
    "elman": Elman,
    "irnn": IRNN,
    "lstm": LSTM,
    "peephole_lstm": PeepholeLSTM,
    "coupled_lstm": CoupledLSTM,
    "layer_norm_lstm": LayerNormLSTM,
    "lstmp": LSTMP,
    "gru": GRU,
    "gru_reset_before": GRUResetBefore,
}
"""Names for configs, tests and benchmarks."""


def make_cell(name: str, input_size: int, hidden_size: int, **options) -> Cell:
    """The cell called `name` in `CELLS`, or your own as "module:Class".

    Raises:
        ValueError: there is no cell of that name (the message has the nearest one) or it has no such option.
    """
    cell = _imported(name) if ":" in name else CELLS.get(name)
    if cell is None:
        near = difflib.get_close_matches(name.lower(), CELLS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"cell={name!r} is unknown: {hint}The cells are {', '.join(CELLS)}; your own is module:Class")
    try:
        return cell(input_size, hidden_size, **options)
    except TypeError as error:
        raise ValueError(f"cell={name!r}: {error}") from None


def _imported(name: str) -> type[Any]:
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a console script does not look where it is called, `python -m` does
    try:
        cell = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cell={name!r}: {error}; expected module:Class, importable from {os.getcwd()}") from error
    if not (isinstance(cell, type) and issubclass(cell, Cell)):
        raise ValueError(f"cell={name!r} is {cell!r}: expected a subclass of rnn_jax.Cell")
    return cell


__all__ = [
    "CELLS",
    "GRU",
    "IRNN",
    "LSTM",
    "LSTMP",
    "Cell",
    "Composite",
    "CoupledLSTM",
    "DiagonalCell",
    "Elman",
    "GRUResetBefore",
    "GatedCell",
    "HiddenCell",
    "LSTMCarry",
    "LayerNormLSTM",
    "LinearCell",
    "Paper",
    "PeepholeLSTM",
    "citation",
    "count_parameters",
    "dense",
    "describe",
    "make_cell",
]
