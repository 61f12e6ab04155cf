"""ListOps: nested lists of digits under MAX, MIN, MED and SM, drawn and evaluated by a machine with a stack.

Nangia & Bowman 2018, arXiv:1804.06028. Tokens are the digits 0 to 9, the four operators, each with its opening bracket
(10 to 13), and the closing bracket (14). MED is the lower median, SM the sum modulo ten.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from experiments.common.synthetic import Sample
from rnn_jax.checks import check_size

MAX, MIN, MED, SM, CLOSE = 10, 11, 12, 13, 14


class Machine(NamedTuple):
    """The open lists of each row, the outermost at 1."""

    height: jax.Array
    """int32 `[B]`."""
    operators: jax.Array
    """int32 `[depth + 1, B]`."""
    counts: jax.Array
    """How often each digit is in each list, int32 `[depth + 1, B, 10]`."""


@dataclasses.dataclass(frozen=True)
class ListOps:
    """What is the value of the list? It counts at the last step, where the outermost list closes.

    Attributes:
        depth: how many lists may be open.
        nesting: the probability that a list opens, where it may.
        closing: the probability that one closes, where it may.
    """

    depth: int = 5
    nesting: float = 0.25
    closing: float = 0.2
    tokens: int = 15
    classes: int = 10

    def __post_init__(self):
        check_size("depth", self.depth)

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]`, T = length ≥ 3, one list that ends with the sequence.

        Raises:
            ValueError: there is no room for a list.
        """
        if length < 3:
            raise ValueError(f"length={length}: expected at least 3 steps, for a list with a digit")
        operator_key, digit_key, choice_key = jax.random.split(key, 3)
        drawn = (
            jax.random.randint(operator_key, (length, batch), MAX, CLOSE),
            jax.random.randint(digit_key, (length, batch), 0, 10),
            jax.random.uniform(choice_key, (length, batch)),
            length - 1 - jnp.arange(length),
        )
        empty = jnp.zeros((self.depth + 1, batch), jnp.int32)
        machine = Machine(empty[0], empty, jnp.zeros((*empty.shape, 10), jnp.int32))
        machine, inputs = jax.lax.scan(self._step, machine, drawn)
        values = jnp.argmax(machine.counts[0], axis=-1)  # the outermost list has become the one digit of level 0
        last = jnp.broadcast_to(jnp.arange(length)[:, None] == length - 1, (length, batch))
        return Sample(inputs, jnp.where(last, values[None], 0), last)

    def _step(self, machine: Machine, drawn: tuple[jax.Array, ...]) -> tuple[Machine, jax.Array]:
        """One more token; `drawn` has an operator, a digit, a number from 0 to 1, and how many tokens follow."""
        operator, digit, choice, after = drawn
        height, operators, counts = machine
        rows = jnp.arange(len(height))
        filled = counts[height, rows].sum(axis=-1) > 0
        # A list needs a digit and its end; each that is open its end, too.
        may_open = (height == 0) | ((height < self.depth) & (after >= height + 2))
        may_close = (height > 0) & filled & ((height > 1) | (after == 0))
        opens = may_open & ((height == 0) | (choice < self.nesting))
        closes = ~opens & may_close & ((after < height) | (choice > 1 - self.closing))
        token = jnp.where(opens, operator, jnp.where(closes, CLOSE, digit))
        value = evaluate_lists(operators[height, rows], counts[height, rows])
        height = height + opens.astype(jnp.int32) - closes.astype(jnp.int32)
        operators = operators.at[height, rows].set(jnp.where(opens, operator, operators[height, rows]))
        counts = counts.at[height, rows].multiply(jnp.where(opens, 0, 1)[:, None])
        added = jax.nn.one_hot(jnp.where(closes, value, digit), 10, dtype=jnp.int32)
        counts = counts.at[height, rows].add(jnp.where(opens[:, None], 0, added))
        return Machine(height, operators, counts), token


def evaluate_lists(operators: jax.Array, counts: jax.Array) -> jax.Array:
    """The value of lists: operators int32 `[B]`, how often each digit is in them int32 `[B, 10]`."""
    digits, total = jnp.arange(10)[None], counts.sum(axis=-1)
    present = counts > 0
    median = jnp.argmax(jnp.cumsum(counts, axis=-1) >= (total[:, None] + 1) // 2, axis=-1)
    values = jnp.stack([
        jnp.max(jnp.where(present, digits, 0), axis=-1),
        jnp.min(jnp.where(present, digits, 9), axis=-1),
        median.astype(jnp.int32),
        (counts * digits).sum(axis=-1) % 10,
    ])  # fmt: skip
    return values[jnp.clip(operators - MAX, 0, 3), jnp.arange(len(operators))]
