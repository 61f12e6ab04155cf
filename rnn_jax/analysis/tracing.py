"""What enters each step of each cell, of a cell or of a whole model: what all looks inside begin with.

`trace` does so for a cell, a Stack or a Bidirectional; `trace_layers` for every `rnn_jax.nnx.Recurrent` in a model.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax

from rnn_jax.cells.base import Cell
from rnn_jax.nnx import unrolled_by
from rnn_jax.typing import Array, Carry, Params
from rnn_jax.unroll import Trace, Traced, unroll, unroll_with_reports


class NotApplicable(ValueError):
    """There is nothing to show of this model; the message says why."""


def trace(
    cell: Cell,
    params: Params,
    xs: Array,
    carry: Carry = None,
    *,
    taps: Iterator[Any] | None = None,
    **options: Any,
) -> tuple[Any, list[Trace]]:
    """What `unroll` gives, and the way of each cell through the sequence, in the order in which they run.

    Args:
        cell: what to run.
        params: its parameters.
        xs: inputs `[T, B, D]`.
        carry: where to start.
        taps: what is added to the carries on their way; see `rnn_jax.unroll.Traced`.
        options: all others of `unroll`; the steps are taken one by one whatever `method` says. A trace has time first.

    Raises:
        ValueError: as `unroll`.
    """
    return unroll_with_reports(cell, params, xs, carry, **(options | {"method": Traced(taps)}))


def trace_layers(score: Callable[[], Any]) -> tuple[Any, list[Trace]]:
    """What `score()` returns, and the way of every cell in the `Recurrent` layers that it calls.

    A layer that is called within a loop or another transformation is left out: it has no values outside of that.
    """
    traces: list[Trace] = []

    def run(*arguments: Any, **options: Any) -> Any:
        unrolled, new = trace(*arguments, **options)
        traces.extend(one for one in new if not isinstance(one.ys, jax.core.Tracer))
        return unrolled

    with unrolled_by(run):
        return score(), traces


def layer_inputs(score: Callable[[], jax.Array]) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
    """What the first `Recurrent` layer that `score()` calls reads, and the score as a function of it.

    Raises:
        NotApplicable: there is no such layer, or it is called within a loop or another transformation.
    """
    _, traces = trace_layers(score)
    check_traces(traces)

    def of_inputs(inputs: jax.Array) -> jax.Array:
        first = iter([inputs])

        def run(cell: Cell, params: Params, xs: Array, *arguments: Any, **options: Any) -> Any:
            return unroll(cell, params, next(first, xs), *arguments, **options)

        with unrolled_by(run):
            return score()

    return traces[0].xs, of_inputs


def check_traces(traces: Sequence[Trace]) -> None:
    """Raise `NotApplicable` where nothing could be traced."""
    if not traces:
        raise NotApplicable("no recurrent layer is called outside of loops, jax.jit and jax.vmap")


def trace_names(traces: Sequence[Trace]) -> list[str]:
    """A name for each of them: its place in the order in which they run, its cell, its direction."""
    return [f"{i} {type(one.cell).__name__}{' backward' * one.reverse}" for i, one in enumerate(traces)]
