"""The options of a recurrent stack that experiments have in common, as fields of their Config."""

import dataclasses

from rnn_jax.cells import Cell, make_cell
from rnn_jax.cells.base import check_choice, check_rate, check_size
from rnn_jax.compose import RecurrentDropout, Stack


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentSettings:
    """Which cell, how large, how many, and how regularised. Experiments inherit these fields into their Config.

    Raises:
        ValueError: a value is out of range.
    """

    cell: str = "gru"
    """A name in rnn_jax.CELLS, or your own as module:Class."""
    hidden_size: int = 256
    """Features of each layer."""
    layers: int = 1
    """Recurrent layers, one above the other."""
    dropout: float = 0.1
    """Rate on the outputs of every layer."""
    dropout_kind: str = "step"
    """step: a new mask at every step; sequence: one for the whole batch."""
    recurrent_dropout: float = 0.0
    """Rate on the hidden state that enters the recurrent product."""
    dtype: str = "float32"
    """Of the computation: float32 or bfloat16; parameters and losses are float32."""

    def __post_init__(self):
        check_size("layers", self.layers)
        check_rate("dropout", self.dropout)
        check_rate("recurrent_dropout", self.recurrent_dropout)
        check_choice("dropout_kind", self.dropout_kind, ("step", "sequence"))
        check_choice("dtype", self.dtype, ("float32", "bfloat16"))
        cell = make_cell(self.cell, 1, self.hidden_size)
        if len(cell.input_shape) > 1:
            raise ValueError(
                f"cell={self.cell!r} reads inputs {list(cell.input_shape)}: expected one that reads vectors"
            )
        getattr(super(), "__post_init__", lambda: None)()  # of the settings beside these in a Config

    def stack(self, input_size: int) -> Stack:
        """The stack for inputs of some size."""
        layers: list[Cell] = []
        for _ in range(self.layers):
            cell: Cell = make_cell(self.cell, layers[-1].output_size if layers else input_size, self.hidden_size)
            if self.recurrent_dropout:
                cell = RecurrentDropout(cell, self.recurrent_dropout)
            layers.append(cell)
        return Stack(layers, dropout=self.dropout, dropout_kind=self.dropout_kind)
