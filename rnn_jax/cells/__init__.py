"""Every recurrent cell, by class and by name."""

import difflib
from typing import Any

from rnn_jax.cells.base import Cell, Composite, GatedCell, count_parameters, describe
from rnn_jax.cells.elman import IRNN, Elman
from rnn_jax.cells.gru import GRU, GRUResetBefore
from rnn_jax.cells.lstm import LSTM, LSTMCarry

CELLS: dict[str, type[Any]] = {
    "elman": Elman,
    "irnn": IRNN,
    "lstm": LSTM,
    "gru": GRU,
    "gru_reset_before": GRUResetBefore,
}
"""Names for configs, tests and benchmarks."""


def make_cell(name: str, input_size: int, hidden_size: int, **options) -> Cell:
    """The cell called `name` in `CELLS`.

    Raises:
        ValueError: there is no cell of that name (the message has the nearest one) or it has no such option.
    """
    if name not in CELLS:
        near = difflib.get_close_matches(name.lower(), CELLS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"cell={name!r} is unknown: {hint}The cells are {', '.join(CELLS)}")
    try:
        return CELLS[name](input_size, hidden_size, **options)
    except TypeError as error:
        raise ValueError(f"cell={name!r}: {error}") from None


__all__ = [
    "CELLS",
    "GRU",
    "IRNN",
    "LSTM",
    "Cell",
    "Composite",
    "Elman",
    "GRUResetBefore",
    "GatedCell",
    "LSTMCarry",
    "count_parameters",
    "describe",
    "make_cell",
]
