"""What is random in training: dropout of features and of hidden states, and zoneout."""

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, Composite, GatedCell, carry_shapes, plain_fields
from rnn_jax.checks import check_choice, check_rate
from rnn_jax.compose.weights import WeightDrop, WeightNoise
from rnn_jax.compose.wrapper import Wrapper
from rnn_jax.typing import Array, Carry, Float, Key, Output, Params
from rnn_jax.unroll.scope import spread_like


def dropout(
    key: Key | None, xs: Float[Array, "T *dims"], rate: float, kind: str = "step"
) -> Float[jax.Array, "T *dims"]:
    """Zero each feature of `xs [T, ...]` with probability `rate` and scale the rest by 1 / (1 − rate).

    Args:
        key: a typed key; without one nothing is zeroed.
        xs: features of a sequence, time first.
        rate: probability of a zero.
        kind: "step", a new mask at every step (Srivastava et al. 2014; Zaremba et al. 2014, arXiv:1409.2329), or
            "sequence", one mask for all steps of a row (variational; Gal & Ghahramani 2016, arXiv:1512.05287).
    """
    check_rate("rate", rate)
    check_choice("kind", kind, ("step", "sequence"))
    xs = jnp.asarray(xs)
    if key is None or not rate:
        return xs
    shape = xs.shape if kind == "step" else (1, *xs.shape[1:])
    keep = jax.random.bernoulli(key, 1 - rate, shape)
    return jnp.where(spread_like(keep, xs), xs / (1 - rate), jnp.zeros_like(xs))


class _Noisy(Wrapper):
    """A wrapper that acts in training only; its own noise stands beside that of the cell inside."""

    def prepare(self, params: Params) -> Params:
        return self.cell.prepare(params)

    def project(self, params: Params, xs: Any) -> Any:
        return self.cell.project(params, xs)

    def step(self, params: Params, carry: Carry, z: Any) -> tuple[Carry, Output]:
        return self.cell.step(params, carry, z)

    def output(self, carry: Carry) -> Output:
        return self.cell.output(carry)

    def state(self, carry: Carry) -> Carry:
        return self.cell.state(carry)

    def _masks(self, key: Key, batch_shape: tuple[int, ...], rates: Carry, length: int = 1) -> Any:
        """Bool arrays `[length, B, ...]` like the carry's leaves, true with probability 1 − rate; None without one."""
        carry = carry_shapes(self.cell, batch_shape)
        leaves, tree = jax.tree.flatten(carry)
        keys = tree.unflatten(jax.random.split(key, len(leaves)))

        def draw(rate: float | None, key: jax.Array, leaf: Any) -> jax.Array | None:
            return None if rate is None else jax.random.bernoulli(key, 1 - rate, (length, *leaf.shape))

        return jax.tree.map(draw, rates, keys, carry, is_leaf=_is_none)

    def _rates(self, rates: Iterable[float]) -> Carry:
        """A tree like the carry with the rate of each leaf that is state, None elsewhere."""
        left = iter(rates)
        return jax.tree.map(lambda is_state: next(left) if is_state else None, _states(self.cell))


@dataclasses.dataclass(frozen=True)
class RecurrentDropout(_Noisy):
    """Dropout on the hidden state that enters the recurrent product: one mask for all steps of a row.

    Gal & Ghahramani 2016, arXiv:1512.05287. The path of the gates (an LSTM's cell state) is untouched.

    Args:
        cell: a cell with one recurrent product (a `GatedCell`).
        rate: probability of a zero.
    """

    cell: Cell
    rate: float

    def __post_init__(self):
        super().__post_init__()
        plain_fields(self)
        check_rate("rate", self.rate)
        if not isinstance(self.cell, GatedCell):
            raise ValueError(
                f"cell={self.cell}: recurrent dropout needs a cell with one recurrent product (a GatedCell)"
            )

    def noise(self, key: Key, length: int, batch_shape: tuple[int, ...]) -> Any:
        masks = self._masks(key, batch_shape, self._rates(itertools.repeat(self.rate)))
        return jax.tree.map(lambda m: jnp.broadcast_to(m, (length, *m.shape[1:])), masks)

    def noisy_step(self, params: Params, carry: Carry, z: Any, noise: Any) -> tuple[Carry, Output]:
        def drop(mask: jax.Array | None, c: jax.Array) -> jax.Array:
            return c if mask is None else jnp.where(mask, c / (1 - self.rate), jnp.zeros_like(c))

        kept = jax.tree.map(drop, noise, carry, is_leaf=_is_none)
        gated: Any = self.cell  # by the check at construction
        return gated.gate(params, carry, z, gated.recur(params, kept))


@dataclasses.dataclass(frozen=True)
class Zoneout(_Noisy):
    """Each unit keeps its old value with probability `rate`; outside training it takes the expectation.

    Krueger et al. 2017, arXiv:1606.01305. The paper's rates for an LSTM: 0.05 for the hidden, 0.5 for the cell state.

    Args:
        cell: a cell whose output is a function of its carry, not a composite.
        rate: one probability, or a tuple with one for each leaf of the carry that is state (see `Cell.state`: no clock,
            no counter), in its order; kept as a tuple.
    """

    cell: Cell
    rate: Any

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.cell, Composite):
            raise ValueError(
                f"cell={self.cell}: a composite has noise of its own that zoneout would lose; "
                "zone out its parts instead"
            )
        self.cell.output(self.cell.initial_carry())
        leaves = sum(jax.tree.leaves(_states(self.cell)))
        rates = tuple(self.rate) if isinstance(self.rate, tuple | list) else (self.rate,) * leaves
        if len(rates) != leaves:
            raise ValueError(
                f"rate={self.rate!r}: expected one probability, or {leaves}, one for each state in the carry"
            )
        for rate in rates:
            check_rate("rate", rate)
        object.__setattr__(self, "rate", tuple(map(float, rates)))

    def noise(self, key: Key, length: int, batch_shape: tuple[int, ...]) -> Any:
        own_key, inner_key = jax.random.split(key)
        own = self._masks(own_key, batch_shape, self._rates(self.rate), length)
        return own, self.cell.noise(inner_key, length, batch_shape)

    def noisy_step(self, params: Params, carry: Carry, z: Any, noise: Any) -> tuple[Carry, Output]:
        updates, inner = noise
        after, y = self.cell.noisy_step(params, carry, z, inner)
        after = jax.tree.map(
            lambda update, new, old: new if update is None else jnp.where(update, new, old),
            updates, after, carry, is_leaf=_is_none,
        )  # fmt: skip
        return after, self.cell.output(after).astype(y.dtype)

    def step(self, params: Params, carry: Carry, z: Any) -> tuple[Carry, Output]:
        after, y = self.cell.step(params, carry, z)
        after = jax.tree.map(
            lambda rate, new, old: new if rate is None else old * rate + new * (1 - rate),
            self._rates(self.rate), after, carry, is_leaf=_is_none,
        )  # fmt: skip
        return after, self.cell.output(after).astype(y.dtype)


def is_random(cell: Cell) -> bool:
    """Whether `unroll` with a key is anything else than without."""
    record: Any = cell
    parts = jax.tree.leaves([getattr(cell, field.name) for field in dataclasses.fields(record)])
    own = isinstance(cell, WeightDrop | WeightNoise) or type(cell).noise is not Cell.noise
    own = own or getattr(cell, "dropout", 0)
    return bool(own) or any(is_random(part) for part in parts if isinstance(part, Cell))


def _states(cell: Cell) -> Carry:
    return cell.state(carry_shapes(cell, ()))


def _is_none(leaf: Any) -> bool:
    return leaf is None
