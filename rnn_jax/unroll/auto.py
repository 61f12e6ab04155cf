"""`method="auto"`: the method that is faster for a cell, T, B and the device at hand, by measurements.

`linear.json` has the methods of linear cells, the fastest first, for each kind of device, cell, B and T:
`python -m benchmarks.linear --write` measures and writes it anew. `fused.json` says from how many steps and rows on the
fused loop of another cell is faster than going step by step, whatever its kernel, and how large that may be with fewer
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
from rnn_jax.cells.timed import Timed
from rnn_jax.checks import check_choice
from rnn_jax.typing import Carry, Checked, Key, Params
from rnn_jax.unroll.associative import Associative
from rnn_jax.unroll.fused import Fused, NoFusedLoop, is_available, kernel_size, say_once, why_not
from rnn_jax.unroll.method import MethodResult, note_taken
from rnn_jax.unroll.scope import Scope, is_known
from rnn_jax.unroll.sequential import Sequential

LINEAR: dict[str, dict[str, dict[str, dict[str, list[str]]]]] = json.loads(
    importlib.resources.files("rnn_jax.unroll").joinpath("linear.json").read_text()
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
        # A fused loop keeps no carries, learns none of them, and is told no time.
        unfused = scope.carries or scope.learned_resets or isinstance(xs, Timed)
        with automatic("sequential") if unfused else contextlib.nullcontext():
            chosen = choose(cell, scope.length, scope.batch_shape) if is_known(scope) else "sequential"
        if chosen == "fused":
            try:
                result = Fused().run(cell, params, xs, carry, scope, reverse, key)
                note_taken(chosen, cell, scope)
                return result
            except NoFusedLoop as error:  # the compiler fails, or the params are of another dtype than most
                say_once(str(error))
                with automatic("sequential"):
                    chosen = choose(cell, scope.length, scope.batch_shape)
        method = Associative() if chosen == "associative" else Sequential()
        note_taken(type(method).__name__.lower(), cell, scope)
        return method.run(cell, params, xs, carry, scope, reverse, key)


def choose(cell: Cell, length: int, batch_shape: tuple[int, ...], platform: str | None = None) -> str:
    """The name of a method that `cell` can use.

    Going step by step is the choice for cells that are not linear (Newton's method has won in no case on a CPU) and for
    linear cells that were not measured. On kinds of devices that were not measured, linear cells take the associative
    method: there it is the one that uses the whole device.
    """
    platform, rows = platform or jax.default_backend(), math.prod(batch_shape)
    if "associative" not in cell.methods:
        return "fused" if platform == "cpu" and _fuses(cell, length, rows) else "sequential"
    measured = LINEAR.get(platform)
    if measured is None:
        return "associative"
    by_rows = next((measured[kind.__name__] for kind in type(cell).__mro__ if kind.__name__ in measured), None)
    if by_rows is None:
        return "sequential"
    methods = _nearest(_nearest(by_rows, rows), length)
    return next((method for method in methods if method != "fused" or _may_fuse(cell)), "sequential")


def _nearest(measured: dict[str, Any], size: int) -> Any:
    """What was measured at the largest size up to this one; below all of them, at the least."""
    sizes = sorted(map(int, measured))
    return measured[str(max((one for one in sizes if one <= size), default=sizes[0]))]


def automatic(method: str) -> contextlib.AbstractContextManager[None]:
    """What "auto" may choose inside of this context: all methods ("auto"), or no fused loops ("sequential").

    Rounding differs between the two; a run that is to be made again by the one it began with says which.
    """
    check_choice("method", method, ("auto", "sequential"))
    return _by_steps(method == "sequential")


def _fuses(cell: Cell, length: int, rows: int) -> bool:
    """Whether a fused loop is the faster one: with few rows or steps a large kernel takes longer to be laid out."""
    if length < FUSED["length"] or not _may_fuse(cell):
        return False
    return rows >= FUSED["rows"] or kernel_size(cell) <= FUSED["kernel"]


def _may_fuse(cell: Cell) -> bool:
    return not _by_steps.value and is_available() and not why_not(cell)
