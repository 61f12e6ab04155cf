"""Cells made of cells: stacks, two directions, residual connections, learned carries, and what is random in training.

Everything here goes wherever a cell goes. Randomness is an argument: `unroll(..., key=key)` trains with dropout and
zoneout, without a key nothing is random, and a streamed step (`cell(params, carry, x)`) never is.
"""

from rnn_jax.compose.bidirectional import MERGES, Bidirectional, BidirectionalCarry
from rnn_jax.compose.noise import RecurrentDropout, Zoneout, dropout, is_random
from rnn_jax.compose.stack import Stack
from rnn_jax.compose.weights import WeightDrop, WeightNoise, noisy_params
from rnn_jax.compose.wrapper import LearnedCarry, Residual

__all__ = [
    "MERGES", "Bidirectional", "BidirectionalCarry", "LearnedCarry", "RecurrentDropout", "Residual", "Stack",
    "WeightDrop", "WeightNoise", "Zoneout", "dropout", "is_random", "noisy_params",
]  # fmt: skip
