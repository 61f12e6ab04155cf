"""A cell around another one: the residual connection, and a carry to start from that is learned."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, Composite, Run, check_cell
from rnn_jax.checks import check_input
from rnn_jax.typing import Carry, Checked, DType, Key, Output, Params


class Wrapper(Cell):
    """A cell that changes one thing about another and leaves its sizes, parameters and carry as they are."""

    cell: Cell

    def __post_init__(self):
        check_cell("cell", self.cell)

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
    def timed(self) -> bool:
        return self.cell.timed

    @property
    def output_size(self) -> int:
        return self.cell.output_size

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        return self.cell.init(key, param_dtype)

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        return self.cell.initial_carry(batch_shape, dtype)

    def start(self, params: Params, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        return self.cell.start(params, batch_shape, dtype)

    def trainable(self, params: Params) -> Params:
        return self.cell.trainable(params)


class CompositeWrapper(Wrapper, Composite):
    """A wrapper that `unroll` takes off: the cell inside runs by every method that it has."""

    @property
    def methods(self) -> tuple[str, ...]:
        return self.cell.methods

    def output(self, carry: Carry) -> Output:
        return self.cell.output(carry)

    def __call__(
        self, params: Params, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None
    ) -> tuple[Carry, Output]:
        return self.cell(params, carry, x, dt)


@dataclasses.dataclass(frozen=True)
class Residual(CompositeWrapper):
    """yₜ + xₜ: the identity around a cell or a composite. He et al. 2015, arXiv:1512.03385.

    Raises:
        ValueError: outputs and inputs differ in size.
    """

    cell: Cell

    def __post_init__(self):
        super().__post_init__()
        if self.cell.output_size != self.cell.input_size:
            raise ValueError(
                f"cell has input_size={self.cell.input_size} and output_size={self.cell.output_size}: "
                "a residual connection needs them equal"
            )

    def output(self, carry: Carry) -> Output:
        return Composite.output(self, carry)

    def unroll_parts(
        self, run: Run, params: Params, xs: Checked[Any, "T *B D"], carry: Carry, reverse: bool, key: Key | None
    ) -> tuple[Carry, Output]:
        carry, ys = run(self.cell, params, xs, carry, reverse, key)
        return carry, ys + xs

    def __call__(
        self, params: Params, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None
    ) -> tuple[Carry, Output]:
        carry, y = self.cell(params, carry, x, dt)
        return carry, y + x


@dataclasses.dataclass(frozen=True)
class LearnedCarry(CompositeWrapper):
    """A cell that starts from a carry which is learned: where `unroll` gets none, and wherever a row is reset.

    Params: those of the cell, and `initial`, the carry of one row, in which what is no state (a clock, a counter; see
    `Cell.state`) is None and stays as the cell has it. It begins as the cell's own: nothing changes before training.

    Args:
        cell: not a composite: each part of one learns its own.

    Raises:
        ValueError: the cell is a composite.
    """

    cell: Cell

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.cell, Composite):
            raise ValueError(
                f"cell={self.cell}: a composite starts from the carries of its parts; expected LearnedCarry around "
                "each of these, as in Stack([LearnedCarry(LSTM(8, 16)), LearnedCarry(LSTM(16, 16))])"
            )

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        carry = self.cell.initial_carry((), param_dtype)
        state = jax.tree.map(lambda is_state, leaf: leaf if is_state else None, self.cell.state(carry), carry)
        return self.cell.init(key, param_dtype) | {"initial": state}

    def start(self, params: Params, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        return _learned(params["initial"], self.cell.initial_carry(batch_shape, dtype))

    def trainable(self, params: Params) -> Params:
        initial = jax.tree.map(lambda _: True, params["initial"])
        return self.cell.trainable(_of_cell(params)) | {"initial": initial}

    def unroll_parts(
        self, run: Run, params: Params, xs: Checked[Any, "T *B D"], carry: Carry, reverse: bool, key: Key | None
    ) -> tuple[Carry, Output]:
        own = self.cell.initial_carry(check_input("xs", xs, self.input_shape)[1:])
        own = jax.tree.map(lambda leaf, given: leaf.astype(given.dtype), own, carry)
        return run(self.cell, _of_cell(params), xs, carry, reverse, key, start=_learned(params["initial"], own))

    def __call__(
        self, params: Params, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None
    ) -> tuple[Carry, Output]:
        return self.cell(_of_cell(params), carry, x, dt)


def _of_cell(params: Params) -> Params:
    return {name: leaf for name, leaf in params.items() if name != "initial"}


def _learned(initial: Carry, own: Carry) -> Carry:
    """The carry of one row in the shapes and dtypes of a cell's own; where it is None, that."""

    def leaf(learned: jax.Array | None, own: jax.Array) -> jax.Array:
        return own if learned is None else jnp.broadcast_to(jnp.asarray(learned, own.dtype), own.shape)

    return jax.tree.map(leaf, initial, own, is_leaf=lambda leaf: leaf is None)
