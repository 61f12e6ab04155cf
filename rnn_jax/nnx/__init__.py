"""Flax NNX layers over cells: this is where Flax and the cells meet; README.md trains one in plain NNX idioms.

A layer holds a cell's parameters as `nnx.Param`, those never trained as `Fixed`, and calls the pure `unroll`;
everything else that a model needs (Embed, Linear, LayerNorm, Dropout, attention) comes from Flax. The package has this
name because it is used as `rnn_jax.nnx.Recurrent` beside `flax.nnx.Linear`.
"""

from rnn_jax.nnx.functional import functional
from rnn_jax.nnx.layers import RNN, CarryState, StatefulRNN
from rnn_jax.nnx.recurrent import Fixed, Recurrent, unrolled_by

__all__ = ["RNN", "CarryState", "Fixed", "Recurrent", "StatefulRNN", "functional", "unrolled_by"]
