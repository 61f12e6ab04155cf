"""Tasks that ask how long something is remembered, as pure functions of a key: they need no data and never end."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from experiments.common.synthetic import Adding, Sample
from rnn_jax.checks import check_size


@dataclasses.dataclass(frozen=True)
class Copy:
    """Repeat `count` symbols after a delay.

    Hochreiter & Schmidhuber 1997, in the form of Arjovsky, Shah & Bengio 2016, arXiv:1511.06464, section 4.1: the
    symbols, delay − 1 blanks, a delimiter, blanks; the targets are blanks, and at the end the symbols. All steps count;
    a model without memory has count · ln(symbols) / T nats a step.

    Attributes:
        symbols: how many different ones; token 0 is the blank, symbols + 1 the delimiter.
        count: symbols to remember.
    """

    symbols: int = 8
    count: int = 10

    def __post_init__(self):
        check_size("symbols", self.symbols)
        check_size("count", self.count)

    @property
    def tokens(self) -> int:
        """V of the inputs."""
        return self.symbols + 2

    @property
    def classes(self) -> int:
        """V of the targets."""
        return self.symbols + 1

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]`, T = length + 2 · count; `length` is the delay."""
        check_size("length", length)
        symbols = jax.random.randint(key, (self.count, batch), 1, self.symbols + 1)
        blanks = jnp.zeros((length + self.count, batch), jnp.int32)
        inputs = jnp.concatenate([symbols, blanks.at[length - 1].set(self.symbols + 1)])
        return Sample(inputs, jnp.concatenate([blanks, symbols]), jnp.ones(inputs.shape, bool))


@dataclasses.dataclass(frozen=True)
class SelectiveCopy(Copy):
    """Repeat `count` symbols that stand at random places among blanks, in their order.

    Gu & Dao 2023, arXiv:2312.00752, section 3.1. Only the last `count` steps count; there each input is the delimiter.
    """

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]`, T = length + count, the symbols among the first `length`.

        Raises:
            ValueError: there is no room for the symbols.
        """
        if length < self.count:
            raise ValueError(f"length={length}: expected at least count={self.count} steps")
        symbol_key, place_key = jax.random.split(key)
        symbols = jax.random.randint(symbol_key, (self.count, batch), 1, self.symbols + 1)
        places = jnp.sort(random_places(place_key, batch, length, self.count), axis=0)
        first = jnp.zeros((length, batch), jnp.int32).at[places, jnp.arange(batch)[None]].set(symbols)
        delimiters = jnp.full((self.count, batch), self.symbols + 1, jnp.int32)
        mask = jnp.broadcast_to(jnp.arange(length + self.count)[:, None] >= length, (length + self.count, batch))
        targets = jnp.concatenate([jnp.zeros_like(first), symbols])
        return Sample(jnp.concatenate([first, delimiters]), targets, mask)


@dataclasses.dataclass(frozen=True)
class Recall:
    """Pairs of a key and a value first; then each key is a query, whose target is its value.

    Multi-query associative recall: Arora et al. 2023, arXiv:2312.04927. Keys in a sequence differ from each other; each
    is queried once, at a random step, and the steps between hold blanks, token 0.

    Attributes:
        keys: how many different ones, tokens 1 to keys; values are the tokens after them.
        values: how many different ones.
        pairs: in a sequence.
    """

    keys: int = 32
    values: int = 32
    pairs: int = 8

    def __post_init__(self):
        check_size("values", self.values)
        check_size("pairs", self.pairs)
        if self.keys < self.pairs:
            raise ValueError(f"keys={self.keys}: expected at least pairs={self.pairs}, for keys are not repeated")

    @property
    def tokens(self) -> int:
        """V of the inputs."""
        return 1 + self.keys + self.values

    @property
    def classes(self) -> int:
        """V of the targets: values, from 0 on."""
        return self.values

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]`, T = length ≥ 3 · pairs.

        Raises:
            ValueError: there is no room for the queries.
        """
        if length < 3 * self.pairs:
            raise ValueError(f"length={length}: expected at least 3 · pairs = {3 * self.pairs} steps")
        key_key, value_key, place_key = jax.random.split(key, 3)
        keys = 1 + random_places(key_key, batch, self.keys, self.pairs)
        values = jax.random.randint(value_key, (self.pairs, batch), 0, self.values)
        pairs = jnp.stack([keys, 1 + self.keys + values], axis=1).reshape(2 * self.pairs, batch)
        rest, rows = length - 2 * self.pairs, jnp.arange(batch)[None]
        places = random_places(place_key, batch, rest, self.pairs)
        blanks, before = jnp.zeros((rest, batch), jnp.int32), jnp.zeros((2 * self.pairs, batch), jnp.int32)
        queries, answers = blanks.at[places, rows].set(keys), blanks.at[places, rows].set(values)
        mask = jnp.concatenate([before, queries]) > 0
        return Sample(jnp.concatenate([pairs, queries]), jnp.concatenate([before, answers]), mask)


def random_places(key: jax.Array, batch: int, size: int, count: int) -> jax.Array:
    """For each row `count` different numbers below `size` in random order, int32 `[count, B]`."""
    order = jnp.argsort(jax.random.uniform(key, (size, batch)), axis=0)
    return order[:count].astype(jnp.int32)


TASKS: dict[str, Any] = {"adding": Adding(), "copy": Copy(), "selective_copy": SelectiveCopy(), "recall": Recall()}
