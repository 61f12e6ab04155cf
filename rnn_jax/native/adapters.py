"""Cells whose arrays lie otherwise than a native loop needs them, as cells whose arrays lie so."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, carry_shapes
from rnn_jax.cells.linear.base import LinearCell
from rnn_jax.typing import Carry, DType, Key, Params


@dataclasses.dataclass(frozen=True)
class Adapter(Cell):
    """A cell with arrays of another layout; its carry is that of the cell unless `packed` says otherwise."""

    cell: Any

    def __post_init__(self):
        pass  # the cell has been checked

    @property
    def input_size(self) -> int:  # pyrefly: ignore[bad-override]
        return self.cell.input_size

    @property
    def hidden_size(self) -> int:  # pyrefly: ignore[bad-override]
        return self.cell.hidden_size

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        return self.cell.init(key, param_dtype)

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        return self.packed(self.cell.initial_carry(batch_shape, dtype))

    def packed(self, carry: Carry) -> Carry:
        """A carry of the cell, as the loop has it."""
        return carry

    def unpacked(self, carry: Carry) -> Carry:
        """The carry of the cell."""
        return carry


@dataclasses.dataclass(frozen=True)
class Carries(Adapter):
    """A linear cell with its carries, side by side, as outputs: what the loop is about when `read` can follow it."""

    @property
    def hidden_size(self) -> int:  # pyrefly: ignore[bad-override]
        return jax.tree.leaves(carry_shapes(self.cell, ()))[0].shape[-1]

    def project(self, params: Params, xs: Any) -> Any:
        return self.cell.project(params, xs)

    def step(self, params: Params, carry: Carry, z: Any) -> tuple[Carry, Any]:
        carry = self.cell.apply(self.cell.elements(params, z), carry)
        return carry, jnp.concatenate(jax.tree.leaves(carry), axis=-1)


@dataclasses.dataclass(frozen=True)
class States(Adapter):
    """A cell with several states for each unit, leaves `[..., H, N]`, as one with N parts of H units in each leaf.

    The leaves of its projected inputs lie side by side, those that all units share behind the others.

    Attributes:
        cell: the cell.
        inputs: the structure of its projected inputs.
        sizes: of the leaves of these.
        shared: for each of them, whether it is numbers that all units share.
    """

    inputs: Any
    sizes: tuple[int, ...]
    shared: tuple[bool, ...]

    @property
    def shared_size(self) -> int:
        """Numbers of a step that all units share."""
        return sum(size for size, shared in zip(self.sizes, self.shared, strict=True) if shared)

    def packed(self, carry: Carry) -> Carry:
        return jax.tree.map(lambda a: a.swapaxes(-1, -2).reshape(*a.shape[:-2], -1), carry)

    def unpacked(self, carry: Carry) -> Carry:
        return jax.tree.map(lambda a: a.reshape(*a.shape[:-1], -1, self.hidden_size).swapaxes(-1, -2), carry)

    def project(self, params: Params, xs: Any) -> Any:
        leaves = jax.tree.leaves(self.cell.project(params, xs))
        return jnp.concatenate([leaves[i] for i in self._order()], axis=-1)

    def step(self, params: Params, carry: Carry, z: Any) -> tuple[Carry, Any]:
        own = sum(self.sizes) - self.shared_size
        return self.step_of(params, carry, z[..., :own], z[..., own:])

    def step_of(self, params: Params, carry: Carry, z: Any, shared: Any) -> tuple[Carry, Any]:
        """The step, given apart what the units have of their own and what they share."""
        leaves: list[Any] = [None] * len(self.sizes)
        starts = {False: 0, True: 0}
        for i in self._order():
            kind, start = self.shared[i], starts[self.shared[i]]
            starts[kind] += self.sizes[i]
            leaves[i] = (shared if kind else z)[..., start : starts[kind]]
        carry, y = self.cell.step(params, self.unpacked(carry), self.inputs.unflatten(leaves))
        return self.packed(carry), y

    def _order(self) -> list[int]:
        """The leaves of the projected inputs in the order in which they lie."""
        return sorted(range(len(self.sizes)), key=lambda i: self.shared[i])


def adapters(cell: Cell, params: Params, x_dtype: Any) -> Iterator[Adapter]:
    """The ways to see a cell that a native loop may be able to run. Which of them it can shows when they are read."""
    units = cell.hidden_size
    if all(leaf.ndim == 2 and leaf.shape[0] == units for leaf in jax.tree.leaves(carry_shapes(cell, ()))):
        x = jax.ShapeDtypeStruct((cell.input_size,), x_dtype)
        leaves, inputs = jax.tree.flatten(jax.eval_shape(cell.project, params, x))
        sizes = tuple(leaf.shape[-1] for leaf in leaves)
        for shared in itertools.product(*([False, True] if size % units == 0 else [True] for size in sizes)):
            yield States(cell, inputs, sizes, shared)
    if isinstance(cell, LinearCell):
        yield Carries(cell)
