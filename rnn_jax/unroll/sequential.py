"""Step by step: inputs projected as one product, then a `jax.lax.scan` over the recurrent part.

The loop over a `GatedCell` has a derivative of its own; see gated.py.
"""

import dataclasses
import functools
from typing import Any

import jax

from rnn_jax.cells.base import Cell, GatedCell
from rnn_jax.typing import Carry, Checked, Key, Params
from rnn_jax.unroll.gated import gated_loop
from rnn_jax.unroll.method import MethodResult
from rnn_jax.unroll.precision import widely
from rnn_jax.unroll.scope import Scope, where_rows
from rnn_jax.unroll.segments import in_segments


@dataclasses.dataclass(frozen=True)
class Sequential:
    """`unroll(..., method="sequential")`: for every cell."""

    def applies(self, cell: Cell) -> bool:
        return "sequential" in cell.methods

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
        noisy = key is not None and type(cell).noisy_step is not Cell.noisy_step
        noise = scope.noise(cell, key) if noisy else None
        start = None if scope.resets is None else scope.start(cell, carry)
        gated = isinstance(cell, GatedCell) and type(cell).step is GatedCell.step and not (noisy or scope.carries)

        def step(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
            z, noise, valid, resets = inputs
            before = carry
            if resets is not None:
                carry = where_rows(resets, start, carry)
            if noisy:
                after, y = widely(functools.partial(cell.noisy_step, noise=noise), params, carry, z)
            else:
                after, y = widely(cell.step, params, carry, z)
            after = after if valid is None else where_rows(valid, after, before)
            return after, (y, after if scope.carries else None)

        def segment(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
            xs, *rest = inputs
            if gated:
                _, valid, resets = rest
                z = cell.project(params, xs)
                carry, ys = gated_loop(cell, reverse, params, carry, start, z, valid, resets)
                return carry, (ys, None)
            return jax.lax.scan(step, carry, (cell.project(params, xs), *rest), reverse=reverse)

        inputs = (xs, noise, scope.valid, scope.resets)
        carry, (ys, carries) = in_segments(segment, carry, inputs, scope.checkpoint_every, reverse)
        return MethodResult(carry, ys, carries=carries)
