"""Tasks that ask how long something is remembered, as pure functions of a key: they need no data and never end."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.checks import check_size


class Sample(NamedTuple):
    """Sequences of one length, and what is to be said of them."""

    inputs: jax.Array
    """int32 `[T, B]`, tokens; or float32 `[T, B, D]`."""
    targets: jax.Array
    """int32 `[T, B]`, classes; or float32 `[T, B]`."""
    counted: jax.Array
    """bool `[T, B]`, the steps whose targets count."""


@dataclasses.dataclass(frozen=True)
class Adding:
    """The sum of the two numbers that are marked, one in each half of the sequence.

    Hochreiter & Schmidhuber 1997, in the form of Le, Jaitly & Hinton 2015, arXiv:1504.00941, section 4.1. Inputs are a
    number from 0 to 1 and a mark; always to say 1 has a mean squared error of 1/6.
    """

    features: int = 2
    classes: int = 0

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Inputs float32 `[T, B, 2]`, T = length ≥ 2; the target of the last step counts.

        Raises:
            ValueError: there are not two steps.
        """
        if length < 2:
            raise ValueError(f"length={length}: expected at least 2 steps, for two marks")
        value_key, first_key, second_key = jax.random.split(key, 3)
        values = jax.random.uniform(value_key, (length, batch))
        first = jax.random.randint(first_key, (batch,), 0, length // 2)
        second = jax.random.randint(second_key, (batch,), length // 2, length)
        steps = jnp.arange(length)[:, None]
        marks = ((steps == first[None]) | (steps == second[None])).astype(jnp.float32)
        sums = jnp.broadcast_to((values * marks).sum(axis=0)[None], (length, batch))
        return Sample(jnp.stack([values, marks], axis=-1), sums, jnp.broadcast_to(steps == length - 1, (length, batch)))


@dataclasses.dataclass(frozen=True)
class Copy:
    """Say `count` symbols again after a delay.

    Hochreiter & Schmidhuber 1997, in the form of Arjovsky, Shah & Bengio 2016, arXiv:1511.06464, section 4.1: the
    symbols, delay − 1 blanks, a sign to begin, blanks; to be said are blanks, and at the end the symbols. All steps
    count; who remembers nothing has count · ln(symbols) / T nats a step.

    Attributes:
        symbols: how many different ones; token 0 is the blank, symbols + 1 the sign.
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
        said = jax.random.randint(key, (self.count, batch), 1, self.symbols + 1)
        blanks = jnp.zeros((length + self.count, batch), jnp.int32)
        inputs = jnp.concatenate([said, blanks.at[length - 1].set(self.symbols + 1)])
        return Sample(inputs, jnp.concatenate([blanks, said]), jnp.ones(inputs.shape, bool))


@dataclasses.dataclass(frozen=True)
class SelectiveCopy(Copy):
    """Say `count` symbols again that stand at random places among blanks, in their order.

    Gu & Dao 2023, arXiv:2312.00752, section 3.1. Only the last `count` steps count; there each input is the sign.
    """

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]`, T = length + count, the symbols among the first `length`.

        Raises:
            ValueError: there is no room for the symbols.
        """
        if length < self.count:
            raise ValueError(f"length={length}: expected at least count={self.count} steps")
        said_key, place_key = jax.random.split(key)
        said = jax.random.randint(said_key, (self.count, batch), 1, self.symbols + 1)
        places = jnp.sort(random_places(place_key, batch, length, self.count), axis=0)
        first = jnp.zeros((length, batch), jnp.int32).at[places, jnp.arange(batch)[None]].set(said)
        signs = jnp.full((self.count, batch), self.symbols + 1, jnp.int32)
        counted = jnp.broadcast_to(jnp.arange(length + self.count)[:, None] >= length, (length + self.count, batch))
        return Sample(jnp.concatenate([first, signs]), jnp.concatenate([jnp.zeros_like(first), said]), counted)


@dataclasses.dataclass(frozen=True)
class Recall:
    """Pairs of a key and a value first; then, at each key that comes again, its value is to be said.

    Multi-query associative recall: Arora et al. 2023, arXiv:2312.04927. Keys in a sequence differ from each other; each
    is asked for once, at a random step, and the steps between hold blanks, token 0.

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
            ValueError: there is no room for the questions.
        """
        if length < 3 * self.pairs:
            raise ValueError(f"length={length}: expected at least 3 · pairs = {3 * self.pairs} steps")
        key_key, value_key, place_key = jax.random.split(key, 3)
        keys = 1 + random_places(key_key, batch, self.keys, self.pairs)
        values = jax.random.randint(value_key, (self.pairs, batch), 0, self.values)
        told = jnp.stack([keys, 1 + self.keys + values], axis=1).reshape(2 * self.pairs, batch)
        rest, rows = length - 2 * self.pairs, jnp.arange(batch)[None]
        places = random_places(place_key, batch, rest, self.pairs)
        blanks, unasked = jnp.zeros((rest, batch), jnp.int32), jnp.zeros((2 * self.pairs, batch), jnp.int32)
        asked, answers = blanks.at[places, rows].set(keys), blanks.at[places, rows].set(values)
        counted = jnp.concatenate([unasked, asked]) > 0
        return Sample(jnp.concatenate([told, asked]), jnp.concatenate([unasked, answers]), counted)


def random_places(key: jax.Array, batch: int, size: int, count: int) -> jax.Array:
    """For each row `count` different numbers below `size` in random order, int32 `[count, B]`."""
    order = jnp.argsort(jax.random.uniform(key, (size, batch)), axis=0)
    return order[:count].astype(jnp.int32)
