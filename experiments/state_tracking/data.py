"""Tasks of finite automata: after each token, the state that all tokens so far lead to.

The target of a step is the answer for the sequence that ends there, so that one sample serves any lengths. Regular
tasks as in Delétang et al. 2023, arXiv:2207.02098, appendix A; words over groups as in Merrill, Petty & Sabharwal 2024,
arXiv:2404.08819: over a group that is not solvable, S5 or A5, no model can follow whose carry goes through matrices
that are diagonal, or that no input changes. Products of Householder matrices can: Siems et al. 2025, arXiv:2502.10297.
"""

import dataclasses
import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.synthetic import Sample
from experiments.state_tracking.listops import ListOps
from rnn_jax.checks import check_choice, check_size


@dataclasses.dataclass(frozen=True)
class Parity:
    """Is the number of ones odd?"""

    tokens: int = 2
    classes: int = 2

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]` of 0 and 1, T = length; all steps count."""
        inputs = jax.random.randint(key, (length, batch), 0, 2)
        return _all_steps(inputs, jnp.cumsum(inputs, axis=0) % 2)


@dataclasses.dataclass(frozen=True)
class EvenPairs:
    """Is the number of neighbours that differ odd? (It is where the first token and the last one differ.)"""

    tokens: int = 2
    classes: int = 2

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]` of 0 and 1, T = length; all steps count."""
        inputs = jax.random.randint(key, (length, batch), 0, 2)
        return _all_steps(inputs, (inputs != inputs[:1]).astype(jnp.int32))


@dataclasses.dataclass(frozen=True)
class CycleNavigation:
    """Where on a circle of five places does one stand, after steps back (0), none (1) and ahead (2)?"""

    tokens: int = 3
    classes: int = 5

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]`, T = length; all steps count."""
        inputs = jax.random.randint(key, (length, batch), 0, 3)
        return _all_steps(inputs, jnp.cumsum(inputs - 1, axis=0) % 5)


@dataclasses.dataclass(frozen=True)
class ModularArithmetic:
    """What is 3 + 1 · 4 − 2, modulo five? Products go before sums, and there are no brackets.

    Tokens are the numbers 0 to 4 and + (5), − (6), · (7), in turns.
    """

    tokens: int = 8
    classes: int = 5

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]`, T = length; steps with a number count, where the sequence so far is a formula."""
        digit_key, operator_key = jax.random.split(key)
        digits = jax.random.randint(digit_key, (length, batch), 0, 5)
        operators = jax.random.randint(operator_key, (length, batch), 5, 8)
        number = jnp.broadcast_to(jnp.arange(length)[:, None] % 2 == 0, (length, batch))
        inputs = jnp.where(number, digits, operators)

        def step(state, token):
            total, term, sign = state  # the value is total + term; sign: 1 or −1 before a new term, 0 within one
            after = jnp.where(sign == 0, term * token, sign * token) % 5
            digit = (jnp.where(sign == 0, total, total + term) % 5, after, jnp.zeros_like(sign))
            symbol = (total, term, jnp.array([1, -1, 0])[jnp.clip(token - 5, 0, 2)])
            state = jax.tree.map(functools.partial(jnp.where, token < 5), digit, symbol)
            return state, (state[0] + state[1]) % 5

        zero = jnp.zeros(batch, jnp.int32)
        _, values = jax.lax.scan(step, (zero, zero, zero + 1), inputs)
        return Sample(inputs, values, number)


@dataclasses.dataclass(frozen=True)
class Dyck:
    """Which bracket may close next, if any? Brackets of several kinds, nested no deeper than `depth`.

    Hewitt et al. 2020, arXiv:2010.07515. Tokens are the opening brackets of each kind, then the closing ones; class 0
    is for none open, class k for an innermost open one of kind k.

    Attributes:
        kinds: of brackets.
        depth: the most that may be open.
    """

    kinds: int = 2
    depth: int = 6

    def __post_init__(self):
        check_size("kinds", self.kinds)
        check_size("depth", self.depth)

    @property
    def tokens(self) -> int:
        """V of the inputs."""
        return 2 * self.kinds

    @property
    def classes(self) -> int:
        """V of the targets."""
        return self.kinds + 1

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]`, T = length: where both are possible, a bracket opens or closes by the toss of a coin."""
        open_key, kind_key = jax.random.split(key)
        opens = jax.random.bernoulli(open_key, 0.5, (length, batch))
        kinds = jax.random.randint(kind_key, (length, batch), 1, self.kinds + 1)
        rows = jnp.arange(batch)

        def step(state, drawn):
            stack, height = state  # kinds of the open brackets [depth + 1, B], the outermost at 1
            opening, kind = drawn
            opening = jnp.where(height == 0, True, jnp.where(height == self.depth, False, opening))
            token = jnp.where(opening, kind - 1, self.kinds + stack[height, rows] - 1)
            height = height + jnp.where(opening, 1, -1)
            stack = stack.at[height, rows].set(jnp.where(opening, kind, stack[height, rows]))
            return (stack, height), (token, stack[height, rows])

        state = jnp.zeros((self.depth + 1, batch), jnp.int32), jnp.zeros(batch, jnp.int32)
        _, (inputs, targets) = jax.lax.scan(step, state, (opens, kinds))
        return _all_steps(inputs, targets)


GROUPS = ("S3", "A4", "S5", "A5")


@dataclasses.dataclass(frozen=True)
class GroupWords:
    """Which element is the product of all so far? Tokens and classes are the elements of a group of permutations.

    Attributes:
        group: S3 (6 elements), A4 (12), S5 (120) or A5 (60); S5 and A5 are not solvable.
    """

    group: str = "S5"

    def __post_init__(self):
        check_choice("group", self.group, GROUPS)

    @property
    def tokens(self) -> int:
        """V of the inputs: how many elements the group has."""
        return len(_products(self.group))

    @property
    def classes(self) -> int:
        """V of the targets."""
        return self.tokens

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Tokens `[T, B]`, T = length; all steps count. Element 0 is the identity."""
        products = jnp.asarray(_products(self.group))
        inputs = jax.random.randint(key, (length, batch), 0, self.tokens)
        before = jnp.zeros(batch, jnp.int32)
        _, targets = jax.lax.scan(lambda state, token: (products[state, token],) * 2, before, inputs)
        return _all_steps(inputs, targets)


@functools.cache
def _products(group: str) -> np.ndarray:
    """The number of `first, then second` for each pair of elements, int32 `[N, N]`."""
    kind, size = group[0], int(group[1])
    elements = [p for p in itertools.permutations(range(size)) if kind == "S" or _is_even(p)]
    number = {element: i for i, element in enumerate(elements)}
    return np.array([[number[tuple(second[i] for i in first)] for second in elements] for first in elements], np.int32)


def _is_even(permutation: tuple[int, ...]) -> bool:
    return sum(a > b for a, b in itertools.combinations(permutation, 2)) % 2 == 0


def _all_steps(inputs: jax.Array, targets: jax.Array) -> Sample:
    return Sample(inputs, targets, jnp.ones(inputs.shape, bool))


TASKS: dict[str, Any] = {
    "parity": Parity(),
    "even_pairs": EvenPairs(),
    "cycle_navigation": CycleNavigation(),
    "modular_arithmetic": ModularArithmetic(),
    "dyck": Dyck(),
    "s3": GroupWords("S3"),
    "s5": GroupWords("S5"),
    "a5": GroupWords("A5"),
    "listops": ListOps(),
}
REGULAR = ("parity", "even_pairs", "cycle_navigation", "modular_arithmetic")
"""The regular tasks of Delétang et al. 2023, arXiv:2207.02098, table 1."""


def lengths_between(task: Any, first: int, last: int) -> tuple[int, ...]:
    """The lengths of sequences that serve all from `first` to `last`.

    Where a task has an answer at every step they are all of the length `last`, for their beginnings are sequences, too.
    ListOps, answered at the end alone, gets sequences of up to eight lengths between these two.
    """
    lengths = np.linspace(max(first, 3), last, 8) if isinstance(task, ListOps) else [last]
    return tuple(sorted({round(float(length)) for length in lengths}))
