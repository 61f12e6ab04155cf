"""What a method of `unroll` is: a value that says how one cell goes through time."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax

from rnn_jax.cells.base import Cell
from rnn_jax.typing import Carry, Checked, Float, Key, Params
from rnn_jax.unroll.scope import Scope

_taken: contextvars.ContextVar[dict[str, None] | None] = contextvars.ContextVar("methods taken", default=None)


@contextlib.contextmanager
def methods_taken() -> Iterator[dict[str, None]]:
    """Gather which method each cell takes that is traced meanwhile, as "GRU 8 to 16, T=64, B=(32,): fused"."""
    taken: dict[str, None] = {}
    token = _taken.set(taken)
    try:
        yield taken
    finally:
        _taken.reset(token)


def note_taken(method: str, cell: Cell, scope: Scope) -> None:
    """Note that a cell takes this method, for `methods_taken`."""
    if (taken := _taken.get()) is not None:
        sizes = f"{cell.input_size} to {cell.output_size}"
        taken[f"{type(cell).__name__} {sizes}, T={scope.length}, B={scope.batch_shape}: {method}"] = None


class MethodResult(NamedTuple):
    """What a method returns of one cell; a plain `(carry, ys)` does as well."""

    carry: Carry
    """After the last valid step of each row, in the dtypes of the carry that was given."""
    ys: Float[jax.Array, "T *B H"]
    """Outputs `[T, B, H]`; `unroll` makes those past the lengths zero."""
    report: Any = None
    """What else the method has to tell, for `unroll_with_reports`: how it fared, or what it saw on the way."""
    carries: Carry = None
    """The carries after all steps, `[T, B, ...]`, where `scope.carries` asks for them; None if it has none to give."""


@runtime_checkable
class Method(Protocol):
    """A way to run one cell through time: `unroll(..., method=Mine())` takes yours as it takes those of the library.

    A method gives the values and the gradients of the steps taken one by one, whatever the lengths, resets and
    direction. Make it a frozen dataclass: equal by value and hashable, it is a static argument of `jax.jit` that an
    equal one does not trace again. `unroll` checks the arguments, and takes stacks and directions apart: `run` gets
    the single cells, one after the other. With a `why_not(cell)` too, a method says itself why it does not apply.
    """

    def applies(self, cell: Cell) -> bool:
        """Whether `cell`, which may be a composite, can be run this way; `unroll` raises a ValueError if not."""
        ...

    def run(
        self,
        cell: Cell,
        params: Params,
        xs: Checked[Any, "T *B D"],
        carry: Carry,
        scope: Scope,
        reverse: bool,
        key: Key | None,
    ) -> MethodResult | tuple[Carry, Float[jax.Array, "T *B H"]]:
        """Run one cell, which is no composite.

        Args:
            cell: the cell.
            params: its parameters, prepared.
            xs: inputs `[T, B, D]`, or a tree of arrays for a cell that declares one; zero past the lengths; T may be 0.
                Where dt is given and the cell is timed, `Timed` inputs, which `cell.project` takes as they are.
            carry: what enters the first step, `[B, ...]`, in float32 or wider.
            scope: lengths, resets and segments, and whether all carries are to be returned.
            reverse: whether the last step in time is the first one taken.
            key: a typed key for what is random in training; None where nothing is.
        """
        ...
