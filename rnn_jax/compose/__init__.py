"""Cells made of cells: stacks, two directions, residual connections, and what is random in training.

Everything here goes wherever a cell goes. Randomness is an argument: `unroll(..., key=key)` trains with dropout and
zoneout, without a key nothing is random, and a streamed step (`cell(params, carry, x)`) never is.
"""

from rnn_jax.compose.bidirectional import MERGES, Bidirectional, BidirectionalCarry
from rnn_jax.compose.noise import RecurrentDropout, Zoneout, dropout, is_random
from rnn_jax.compose.stack import Stack
from rnn_jax.compose.wrapper import Residual

__all__ = [
    "MERGES", "Bidirectional", "BidirectionalCarry", "RecurrentDropout", "Residual", "Stack", "Zoneout", "dropout",
    "is_random",
]  # fmt: skip
