"""Where Newton's method is faster than going step by step, and where it is not.

    python -m benchmarks.newton                      # all cases; goes on where it was stopped
    python -m benchmarks.newton --cells gru --lengths 1024 --batches 1

Cells as initialized, D = 8, over normal inputs, in float32: a forward pass, and the loss with all gradients. Both
methods in turns; the ratio is the time of Newton's method over that step by step, below 1 where Newton's is faster.
The work of an iteration is far more than that of the steps, T-fold parallel: it pays where a device has nothing else to
do, for long sequences, few rows and small carries, and on no CPU.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import rnn_jax
from benchmarks.results import Results, Row, result_file
from benchmarks.timing import Ratio, affordable, interleaved, rows
from rnn_jax.unroll.newton import DENSE_UP_TO

INPUT_SIZE = 8
LARGEST = 2**28
"""Numbers in the Jacobians of a sequence, at most: one gigabyte, of which an iteration holds several."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        cells: names in `rnn_jax.CELLS`.
        hidden_sizes: H.
        batches: B.
        lengths: T.
        seconds: how long about the rounds of one case take.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
    """

    cells: tuple[str, ...] = ("elman", "gru", "lstm")
    hidden_sizes: tuple[int, ...] = (4, 16, 64)
    batches: tuple[int, ...] = (1, 8)
    lengths: tuple[int, ...] = (1024, 8192, 65536)
    seconds: float = 5.0
    output: Path | None = None
    fresh: bool = False


def main(config: Config) -> None:
    results = Results(config.output or result_file("newton"), "newton", config.fresh)
    for name, length, batch, hidden_size in cases(config):
        for work in ("forward", "training"):
            case = f"{work} {name} T{length} B{batch} H{hidden_size}"
            if case not in results:
                results.add(measure(case, work, name, length, batch, hidden_size, config.seconds))
                print(_line(results.rows[-2]), flush=True)
    print(table(results.stored))


def cases(config: Config) -> Iterator[tuple[str, int, int, int]]:
    """Cells, T, B and H whose Jacobians are not too large."""
    for name, length, batch, size in itertools.product(
        config.cells, config.lengths, config.batches, config.hidden_sizes
    ):
        numbers = carry_size(name, size)
        dense = numbers <= DENSE_UP_TO
        if length * batch * numbers * (numbers if dense else 1) <= LARGEST:
            yield name, length, batch, size


def carry_size(name: str, hidden_size: int) -> int:
    """Numbers in the carry of one row."""
    cell = rnn_jax.CELLS[name](INPUT_SIZE, hidden_size)
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(cell.initial_carry)))


def measure(case: str, work: str, name: str, length: int, batch: int, hidden_size: int, seconds: float) -> list[Row]:
    """The rows of one case: of Newton's method, with its iterations and whether they converged, and of the steps."""
    cell = rnn_jax.CELLS[name](INPUT_SIZE, hidden_size)
    params = cell.init(jax.random.key(0))
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(length, batch, INPUT_SIZE)), jnp.float32)

    def forward(method: str) -> Callable[..., jax.Array]:
        return lambda params, xs: rnn_jax.unroll(cell, params, xs, method=method).ys

    def training(method: str) -> Callable[..., Any]:
        return jax.value_and_grad(lambda params, xs: jnp.square(forward(method)(params, xs)).mean())

    def program(method: str) -> Callable[[], object]:
        compiled = jax.jit({"forward": forward, "training": training}[work](method))
        return lambda: compiled(params, xs)

    programs = {method: program(method) for method in ("newton", "sequential")}
    times = interleaved(programs, affordable(programs, seconds), warm=True)
    _, report = jax.jit(lambda params, xs: rnn_jax.newton_report(cell, params, xs))(params, xs)
    measured = rows(case, times, reference="newton")
    measured[0] |= {
        "work": work,
        "cell": name,
        "length": length,
        "batch": batch,
        "hidden_size": hidden_size,
        "numbers": carry_size(name, hidden_size),
        "iterations": int(report.iterations),
        "converged": bool(report.converged),
    }
    return measured


def table(stored: dict[str, Any]) -> str:
    """Markdown: a line for each case, forward and training side by side."""
    lines = [
        "Time of Newton's method with default options over the time step by step: below 1, Newton's is faster.\n",
        "| cell | T | B | H | Jacobian | iterations | forward | training |",
        "|---|---|---|---|---|---|---|---|",
    ]
    measured: dict[Any, dict[str, Row]] = {}
    for row in (row for row in stored["rows"] if row["program"] == "newton"):
        key = tuple(row[name] for name in ("cell", "length", "batch", "hidden_size"))
        measured.setdefault(key, {})[row["work"]] = row
    for (name, length, batch, size), works in sorted(measured.items()):
        row = next(iter(works.values()))
        ratios = [str(newton_over_steps(works[work])) if work in works else "" for work in ("forward", "training")]
        iterations = row["iterations"] if row["converged"] else f"{row['iterations']}, then step by step"
        jacobian = f"{'dense' if row['numbers'] <= DENSE_UP_TO else 'diagonal'} {row['numbers']}"
        lines.append(f"| `{name}` | {length:,} | {batch} | {size} | {jacobian} | {iterations} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def newton_over_steps(row: Row) -> Ratio:
    """What the row of Newton's method says the other way round."""
    stored = row["ratios"]["sequential"]
    return Ratio(1 / stored["value"], 1 / stored["high"], 1 / stored["low"])


def _line(row: Row) -> str:
    state = "" if row["converged"] else ", not converged"
    return f"{row['case']}: {newton_over_steps(row)}, {row['iterations']} iterations{state}"


if __name__ == "__main__":
    main(tyro.cli(Config))
