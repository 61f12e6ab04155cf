"""A cell around another one, and the residual connection."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from rnn_jax.cells.base import Cell, Composite, Run
from rnn_jax.typing import Carry, Checked, DType, Key, Output, Params


class Wrapper(Cell):
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
    def timed(self) -> bool:
        return self.cell.timed

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
class Residual(Wrapper, Composite):
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

    def __call__(
        self, params: Params, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None
    ) -> tuple[Carry, Output]:
        carry, y = self.cell(params, carry, x, *(() if dt is None else (dt,)))
        return carry, y + x
