"""Cells made of cells: stacks, two directions, residual connections, and what is random in training.

Everything here goes wherever a cell goes. Randomness is an argument: `unroll(..., key=key)` trains with dropout and
zoneout, without a key nothing is random, and a streamed step (`cell(params, carry, x)`) never is.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, Composite, GatedCell, Run, carry_shapes, check_call, plain_fields
from rnn_jax.checks import check_choice, check_rate, is_shape
from rnn_jax.typing import Array, Carry, Checked, DType, Float, Inputs, Key, Output, Params
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


@dataclasses.dataclass(frozen=True)
class Stack(Composite):
    """Layers one above the other. Unrolled layer by layer, so that each input product is hoisted; streamed by steps.

    Params: `{"layer_0": ..., "layer_1": ...}`. Carry: a tuple, one entry a layer.

    Args:
        layers: cells (or composites), each reading the outputs of the one before.
        dropout: rate on the inputs of every layer but the first, in training.
        dropout_kind: "step" or "sequence"; see `dropout`.

    Raises:
        ValueError: there is no layer, or two neighbours do not fit.
    """

    layers: Sequence[Cell]
    dropout: float = dataclasses.field(default=0.0, kw_only=True)
    dropout_kind: str = dataclasses.field(default="step", kw_only=True)

    def __post_init__(self):
        plain_fields(self)
        object.__setattr__(self, "layers", tuple(self.layers))
        check_rate("dropout", self.dropout)
        check_choice("dropout_kind", self.dropout_kind, ("step", "sequence"))
        if not self.layers:
            raise ValueError("layers=(): expected at least one cell")
        for i, (below, above) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if below.output_size != above.input_size:
                raise ValueError(
                    f"layers[{i + 1}].input_size={above.input_size}: expected {below.output_size}, "
                    f"the output size of layers[{i}]"
                )
            if is_shape(below.input_shape) and below.input_shape[:-1] != above.input_shape[:-1]:
                raise ValueError(
                    f"layers[{i + 1}] reads space {above.input_shape[:-1]}: expected {below.input_shape[:-1]}, "
                    f"as layers[{i}]"
                )

    @property
    def input_size(self) -> int:
        return self.layers[0].input_size

    @property
    def input_shape(self) -> Any:
        return self.layers[0].input_shape

    @property
    def hidden_size(self) -> int:
        return self.layers[-1].hidden_size

    @property
    def output_size(self) -> int:
        return self.layers[-1].output_size

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(m for m in self.layers[0].methods if all(m in layer.methods for layer in self.layers))

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        keys = jax.random.split(key, len(self.layers))
        return {f"layer_{i}": layer.init(keys[i], param_dtype) for i, layer in enumerate(self.layers)}

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> tuple[Carry, ...]:
        return tuple(layer.initial_carry(batch_shape, dtype) for layer in self.layers)

    def output(self, carry: tuple[Carry, ...]) -> Output:
        return self.layers[-1].output(carry[-1])

    def unroll_parts(
        self, run: Run, params: Params, xs: Checked[Any, "T *B D"], carry: Carry, reverse: bool, key: Key | None
    ) -> tuple[Carry, Output]:
        after = []
        for i, layer in enumerate(self.layers):
            layer_key = None
            if key is not None:
                mask_key, layer_key = jax.random.split(jax.random.fold_in(key, i))
                if i:
                    xs = dropout(mask_key, xs, self.dropout, self.dropout_kind)
            layer_carry, xs = run(layer, params[f"layer_{i}"], xs, carry[i], reverse, layer_key)
            after.append(layer_carry)
        return tuple(after), jnp.asarray(xs)

    def trainable(self, params: Params) -> Params:
        return {f"layer_{i}": layer.trainable(params[f"layer_{i}"]) for i, layer in enumerate(self.layers)}

    def __call__(self, params: Params, carry: Carry, x: Checked[Any, "*B D"]) -> tuple[Carry, Output]:
        check_call(self, carry, x)
        after = []
        for i, layer in enumerate(self.layers):
            layer_carry, x = layer(params[f"layer_{i}"], carry[i], x)
            after.append(layer_carry)
        return tuple(after), jnp.asarray(x)


class BidirectionalCarry(NamedTuple):
    """The carries of the two directions."""

    forward: Carry
    backward: Carry


MERGES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "concat": lambda forward, backward: jnp.concatenate([forward, backward], axis=-1),
    "sum": jnp.add,
    "mul": jnp.multiply,
    "ave": lambda forward, backward: (forward + backward) / 2,
}
"""How the outputs of two directions become one, by name."""


@dataclasses.dataclass(frozen=True)
class Bidirectional(Composite):
    """Two cells over the same inputs, one in each direction. Schuster & Paliwal 1997.

    Both directions start inside the valid part of a row. A reset before a step cuts the row there for both: the forward
    cell starts anew at that step, the backward cell at the one before, so that packed sequences stay apart.

    Params: `{"forward", "backward"}`. Carry: `BidirectionalCarry`.

    Args:
        forward: the cell that runs from the first step to the last.
        backward: the cell that runs from the last step to the first; one equal to `forward` by default.
        merge: "concat" joins the outputs on the last axis, forward first; "sum", "mul" and "ave" add, multiply and
            average them.

    Raises:
        ValueError: the two read different inputs, or give outputs that cannot be merged so.
    """

    forward: Cell
    backward: Cell | None = None
    merge: str = dataclasses.field(default="concat", kw_only=True)

    def __post_init__(self):
        forward, backward = self.directions
        check_choice("merge", self.merge, tuple(MERGES))
        if self.merge != "concat" and forward.output_size != backward.output_size:
            raise ValueError(
                f"merge={self.merge!r}: outputs of {forward.output_size} and {backward.output_size} features cannot be "
                "merged so; expected the same size"
            )
        if forward.input_shape != backward.input_shape:
            raise ValueError(f"backward has inputs {backward.input_shape}: expected {forward.input_shape}, as forward")

    @property
    def directions(self) -> tuple[Cell, Cell]:
        """The forward and the backward cell."""
        return self.forward, self.forward if self.backward is None else self.backward

    @property
    def input_size(self) -> int:
        return self.forward.input_size

    @property
    def input_shape(self) -> Any:
        return self.forward.input_shape

    @property
    def hidden_size(self) -> int:
        return self.output_size

    @property
    def output_size(self) -> int:
        forward, backward = self.directions
        return forward.output_size + backward.output_size if self.merge == "concat" else forward.output_size

    @property
    def methods(self) -> tuple[str, ...]:
        forward, backward = self.directions
        return tuple(m for m in forward.methods if m in backward.methods)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        keys = jax.random.split(key)
        forward, backward = (cell.init(k, param_dtype) for cell, k in zip(self.directions, keys, strict=True))
        return {"forward": forward, "backward": backward}

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> BidirectionalCarry:
        return BidirectionalCarry(*(cell.initial_carry(batch_shape, dtype) for cell in self.directions))

    def unroll_parts(
        self, run: Run, params: Params, xs: Checked[Any, "T *B D"], carry: Carry, reverse: bool, key: Key | None
    ) -> tuple[Carry, Output]:
        forward, backward = self.directions
        keys = (None, None) if key is None else jax.random.split(key)
        forward_carry, forward_ys = run(forward, params["forward"], xs, carry[0], reverse, keys[0])
        backward_carry, backward_ys = run(backward, params["backward"], xs, carry[1], not reverse, keys[1])
        return BidirectionalCarry(forward_carry, backward_carry), MERGES[self.merge](forward_ys, backward_ys)

    def trainable(self, params: Params) -> Params:
        forward, backward = self.directions
        return {"forward": forward.trainable(params["forward"]), "backward": backward.trainable(params["backward"])}

    def __call__(self, params: Params, carry: Carry, x: Checked[Any, "*B D"]) -> tuple[Carry, Output]:
        raise ValueError(
            "a Bidirectional cell cannot be streamed: its backward direction starts at the last step, "
            "which a stream has not seen yet; use unroll on the whole sequence"
        )


class _Wrapper(Cell):
    """A cell that changes one thing about another and leaves its sizes, parameters and carry as they are."""

    cell: Cell

    @property
    def input_size(self) -> int:
        return self.cell.input_size

    @property
    def hidden_size(self) -> int:
        return self.cell.hidden_size

    @property
    def input_shape(self) -> Any:
        return self.cell.input_shape

    @property
    def output_size(self) -> int:
        return self.cell.output_size

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        return self.cell.init(key, param_dtype)

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        return self.cell.initial_carry(batch_shape, dtype)

    def trainable(self, params: Params) -> Params:
        return self.cell.trainable(params)


@dataclasses.dataclass(frozen=True)
class Residual(_Wrapper, Composite):
    """yₜ + xₜ: the identity around a cell or a composite. He et al. 2015, arXiv:1512.03385.

    Raises:
        ValueError: outputs and inputs differ in size.
    """

    cell: Cell

    def __post_init__(self):
        if self.cell.output_size != self.cell.input_size:
            raise ValueError(
                f"cell has input_size={self.cell.input_size} and output_size={self.cell.output_size}: "
                "a residual connection needs them equal"
            )

    @property
    def methods(self) -> tuple[str, ...]:
        return self.cell.methods

    def unroll_parts(
        self, run: Run, params: Params, xs: Checked[Any, "T *B D"], carry: Carry, reverse: bool, key: Key | None
    ) -> tuple[Carry, Output]:
        carry, ys = run(self.cell, params, xs, carry, reverse, key)
        return carry, ys + xs

    def __call__(self, params: Params, carry: Carry, x: Checked[Any, "*B D"]) -> tuple[Carry, Output]:
        carry, y = self.cell(params, carry, x)
        return carry, y + x


class _Noisy(_Wrapper):
    """A wrapper that acts in training only; its own noise stands beside that of the cell inside."""

    def prepare(self, params: Params) -> Params:
        return self.cell.prepare(params)

    def project(self, params: Params, xs: Inputs) -> Any:
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
    own = type(cell).noise is not Cell.noise or getattr(cell, "dropout", 0)
    return bool(own) or any(is_random(part) for part in parts if isinstance(part, Cell))


def _states(cell: Cell) -> Carry:
    return cell.state(carry_shapes(cell, ()))


def _is_none(leaf: Any) -> bool:
    return leaf is None
