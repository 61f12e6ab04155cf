"""Step by step, keeping what enters each step: what all looks inside of a cell begin with."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell
from rnn_jax.cells.timed import apart
from rnn_jax.checks import check_input
from rnn_jax.typing import Bool, Carry, Checked, Float, Key, Params
from rnn_jax.unroll.method import MethodResult
from rnn_jax.unroll.precision import widely
from rnn_jax.unroll.scope import Scope, where_rows


class Trace(NamedTuple):
    """One cell's way through a sequence; the cells of a Stack or a Bidirectional have one each."""

    cell: Cell
    """Without the wrappers around it."""
    params: Params
    """Prepared."""
    xs: Float[jax.Array, "T *B D"]
    """Inputs `[T, B, D]`."""
    z: Any
    """What `cell.project` makes of them."""
    carries: Carry
    """The carry that enters each step, after resets, `[T, B, ...]`."""
    ys: Float[jax.Array, "T *B H"]
    """Outputs `[T, B, H]`, zero past the lengths."""
    valid: Bool[jax.Array, "T *B"] | None
    """bool `[T, B]`, true before each row's length; None where all steps are valid."""
    reverse: bool
    """Whether it runs from the last step to the first."""

    @property
    def leading(self) -> int:
        """How many dims are time and batch."""
        return len(check_input("xs", self.xs, self.cell.input_shape))


@dataclasses.dataclass(frozen=True)
class Traced:
    """A method of `unroll_with_reports` for every cell, whose reports are a `Trace` of each; it has no segments.

    Args:
        taps: for each cell in turn a tree like its carry, `[T, ...]`, that is added to what enters its steps, or None;
            None for a leaf adds nothing. A derivative by a tap is one by the carry of that step.
    """

    taps: Iterator[Any] | None = None

    def applies(self, cell: Cell) -> bool:
        return True

    def run(
        self,
        cell: Cell,
        params: Params,
        xs: Checked[Any, "T *B D"],
        carry: Carry,
        scope: Scope,
        reverse: bool,
        key: Key | None,
    ) -> MethodResult:
        z = cell.project(params, xs)
        noise = scope.noise(cell, key)
        start = None if scope.resets is None else scope.start(cell, carry)
        tap = None if self.taps is None else next(self.taps, None)

        def step(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
            z, noise, tap, valid, resets = inputs
            before = carry if tap is None else jax.tree.map(_tapped, tap, carry, is_leaf=lambda leaf: leaf is None)
            before = before if resets is None else where_rows(resets, start, before)
            run = cell.step if key is None else functools.partial(cell.noisy_step, noise=noise)
            after, y = widely(run, params, before, z)
            after = after if valid is None else where_rows(valid, after, carry)
            return after, (before, y, after if scope.carries else None)

        carry, (before, ys, carries) = jax.lax.scan(
            step, carry, (z, noise, tap, scope.valid, scope.resets), reverse=reverse
        )
        ys = ys if scope.valid is None else where_rows(scope.valid, ys, jnp.zeros_like(ys))
        inner: Any = cell
        while isinstance(getattr(inner, "cell", None), Cell):  # wrappers that act in training have its params and carry
            inner = inner.cell
        return MethodResult(carry, ys, Trace(inner, params, apart(xs)[0], z, before, ys, scope.valid, reverse), carries)


def _tapped(tap: jax.Array | None, leaf: jax.Array) -> jax.Array:
    return leaf if tap is None else leaf + tap
