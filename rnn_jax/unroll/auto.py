"""`method="auto"`: the method that is faster for a cell, T, B and the device at hand, by measurements.

`crossovers.json` says from which T on the associative method is at least as fast as going step by step, for each kind
of device, cell and B. `python -m benchmarks.linear --write` measures and writes it anew. `fused.json` says from how
many steps and rows on the fused loop of a gated cell is, whatever its kernel, and how large that may be with fewer
rows: `python -m benchmarks.fused --write`.
"""

import contextlib
import dataclasses
import importlib.resources
import json
import math
from typing import Any

import jax

from rnn_jax.cells.base import Cell
from rnn_jax.checks import check_choice
from rnn_jax.typing import Carry, Checked, Key, Params
from rnn_jax.unroll.associative import Associative
from rnn_jax.unroll.fused import Fused, NoFusedLoop, is_available, kernel_size, say_once, why_not
from rnn_jax.unroll.method import MethodResult, note_taken
from rnn_jax.unroll.scope import Scope, is_known
from rnn_jax.unroll.sequential import Sequential

CROSSOVERS: dict[str, dict[str, dict[str, int | None]]] = json.loads(
    importlib.resources.files("rnn_jax.unroll").joinpath("crossovers.json").read_text()
)
_by_steps = jax.make_user_context(False)
FUSED: dict[str, int] = json.loads(importlib.resources.files("rnn_jax.unroll").joinpath("fused.json").read_text())


@dataclasses.dataclass(frozen=True)
class Auto:
    """For each cell the method that `choose` names; "sequential" where T or B is not a number yet, in `jax.export`."""

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
        chosen = choose(cell, scope.length, scope.batch_shape) if is_known(scope) else "sequential"
        if chosen == "fused":
            try:
                result = Fused().run(cell, params, xs, carry, scope, reverse, key)
                note_taken(chosen, cell, scope)
                return result
            except NoFusedLoop as error:  # the compiler fails, or the params are of another dtype than most
                say_once(str(error))
        method = Associative() if chosen == "associative" else Sequential()
        note_taken(type(method).__name__.lower(), cell, scope)
        return method.run(cell, params, xs, carry, scope, reverse, key)


def choose(cell: Cell, length: int, batch_shape: tuple[int, ...], platform: str | None = None) -> str:
    """The name of a method that `cell` can use.

    Going step by step is the choice for cells that are not linear (Newton's method has won in no case on a CPU) and for
    linear cells that were not measured. On kinds of devices that were not measured, linear cells take the associative
    method: there it is the one that uses the whole device.
    """
    platform = platform or jax.default_backend()
    if "associative" not in cell.methods:
        return "fused" if platform == "cpu" and _fuses(cell, length, math.prod(batch_shape)) else "sequential"
    measured = CROSSOVERS.get(platform)
    if measured is None:
        return "associative"
    least_by_rows = next((measured[kind.__name__] for kind in type(cell).__mro__ if kind.__name__ in measured), {})
    rows = [int(rows) for rows in least_by_rows if int(rows) <= math.prod(batch_shape)]
    least = least_by_rows[str(max(rows))] if rows else next(iter(least_by_rows.values()), None)
    return "sequential" if least is None or length < least else "associative"


def automatic(method: str) -> contextlib.AbstractContextManager[None]:
    """What "auto" may choose inside of this context: all methods ("auto"), or no fused loops ("sequential").

    Rounding differs between the two; a run that is to be made again by the one it began with says which.
    """
    check_choice("method", method, ("auto", "sequential"))
    return _by_steps(method == "sequential")


def _fuses(cell: Cell, length: int, rows: int) -> bool:
    """Whether a fused loop is the faster one: with few rows or steps a large kernel takes longer to be laid out."""
    if _by_steps.value or length < FUSED["length"] or not is_available() or why_not(cell):
        return False
    return rows >= FUSED["rows"] or kernel_size(cell) <= FUSED["kernel"]
