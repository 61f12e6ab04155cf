"""Which method is the fastest for a linear cell, and what such cells save beside a GRU.

    python -m benchmarks.linear                      # all cases; goes on where it was stopped
    python -m benchmarks.linear --cells mingru --lengths 4096 --batches 8

Cells as initialized, D = H, over normal inputs, in float32: a forward pass, and the loss with all gradients. The
methods of a linear cell and a GRU of the same width, step by step and as "auto" runs it, in turns. `unroll`'s method
"auto" goes by these results: `python -m benchmarks.linear --write` puts them in its table. On a CPU the fused loop is
measured on one device alone, JAX_NUM_CPU_DEVICES=1, where "auto" takes it.
"""

import dataclasses
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import rnn_jax
from benchmarks.newton import carry_size
from benchmarks.results import FOLDER, Results, Row, read, result_file
from benchmarks.timing import Ratio, affordable, geometric_mean, interleaved, ratio, rows
from rnn_jax.cells.linear.base import LinearCell
from rnn_jax.cells.linear.linear_attention import AssociativeMemory
from rnn_jax.unroll import methods_of
from rnn_jax.unroll.fused import is_available

CELLS = tuple(name for name, cell in rnn_jax.CELLS.items() if issubclass(cell, LinearCell))
WORKS = ("forward", "training")
METHODS = ("associative", "sequential", "fused")
FASTEST = Path(rnn_jax.__file__).parent / "unroll" / "linear.json"
LONG = 1024
"""Steps from which on a GRU runs beside the linear cell."""
LARGEST = 2**28
"""Numbers in the carries of a sequence: of more than a gigabyte, of which going step by step keeps several, only what
keeps few is measured: the fused loop, and matrix memories in chunks."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        cells: names in `rnn_jax.CELLS`.
        hidden_size: H.
        lengths: T.
        batches: B.
        seconds: how long about the rounds of one case take.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
        write: afterwards, write what `method="auto"` goes by from all result files at hand.
    """

    cells: tuple[str, ...] = CELLS
    hidden_size: int = 128
    lengths: tuple[int, ...] = (4, 16, 64, 256, 4096)
    batches: tuple[int, ...] = (1, 16)
    seconds: float = 2.0
    output: Path | None = None
    fresh: bool = False
    write: bool = False


def main(config: Config) -> None:
    results = Results(config.output or result_file("linear"), "linear", config.fresh)
    for length, batch, name, work in itertools.product(config.lengths, config.batches, config.cells, WORKS):
        case = f"{work} {name} T{length} B{batch} H{config.hidden_size}"
        if case not in results and methods_here(name, length, batch, config.hidden_size):
            results.add(measure(case, work, name, length, batch, config.hidden_size, config.seconds))
            ratios = next(row["ratios"] for row in reversed(results.rows) if "ratios" in row)
            print(case, *(f"{other} {Ratio(**ratio)}" for other, ratio in ratios.items()), flush=True)
    if config.write:
        FASTEST.write_text(fastest_text())


def measure(
    case: str, work: str, name: str, length: int, batch: int, size: int, seconds: float, dtype: str = "float32"
) -> list[Row]:
    """The rows of one case: all methods of the cell and, for long sequences, a GRU."""
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(length, batch, size)), dtype)

    def program(name: str, method: str) -> Callable[[], object]:
        cell = rnn_jax.CELLS[name](size, size)
        params = cell.init(jax.random.key(0), jnp.dtype(dtype))

        def forward(params: Any, xs: jax.Array) -> jax.Array:
            return rnn_jax.unroll(cell, params, xs, method=method).ys

        def training(params: Any, xs: jax.Array) -> Any:
            return jax.value_and_grad(lambda *args: jnp.square(forward(*args)).mean(), argnums=(0, 1))(params, xs)

        compiled = jax.jit({"forward": forward, "training": training}[work])
        return lambda: compiled(params, xs)

    programs = {method: program(name, method) for method in methods_here(name, length, batch, size)}
    if length >= LONG:
        programs |= {"gru": program("gru", "sequential"), "gru auto": program("gru", "auto")}
    # A call of microseconds is repeated within its turn.
    calls = max(1, 512 // length)
    times = interleaved(programs, affordable(programs, seconds, calls), calls, warm=True)
    measured = rows(case, times, reference=next(iter(programs)))
    measured[0] |= {"work": work, "cell": name, "length": length, "batch": batch, "hidden_size": size}
    return measured


def methods_here(name: str, length: int, batch: int, size: int) -> list[str]:
    """The methods of a cell that "auto" could take here, and for which there is memory."""
    cell = rnn_jax.CELLS[name](size, size)
    in_chunks = isinstance(cell, AssociativeMemory)
    small = length * batch * carry_size(name, size) <= LARGEST
    here = [method for method in METHODS if method in methods_of(cell) and (method != "fused" or is_available())]
    return [method for method in here if small or method == "fused" or (in_chunks and method == "associative")]


def table(stored: dict[str, Any]) -> str:
    """Markdown: a line for each cell, T and B, forward and training side by side."""
    lines = [
        "The fastest method by the geometric mean of both works, and over its time those of the others and of a GRU as "
        "wide: step by step, and by `auto`. Above 1, the named method is faster.\n",
        "| cell | T | B | fastest | forward: others | GRU | by auto | training: others | GRU | by auto |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, length, batch), works in measured_cases(stored).items():
        first, *others = in_order(works)
        columns = []
        for work in WORKS:
            times = works[work]
            columns.append(", ".join(f"{other} {ratio(times[other], times[first]).value:.2f}" for other in others))
            columns += [str(ratio(times[gru], times[first])) if gru in times else "" for gru in ("gru", "gru auto")]
        lines.append(f"| `{name}` | {length:,} | {batch} | {first} | {' | '.join(columns)} |")
    return "\n".join(lines)


Seconds = dict[str, list[float]]


def measured_cases(stored: dict[str, Any]) -> dict[tuple[str, int, int], dict[str, Seconds]]:
    """By cell, T and B, and by work: the seconds of each program, round by round."""
    by_case: dict[str, Seconds] = {}
    for row in stored["rows"]:
        by_case.setdefault(row["case"], {})[row["program"]] = row["seconds"]
    cases: dict[tuple[str, int, int], dict[str, Seconds]] = {}
    for row in (row for row in stored["rows"] if "work" in row):
        key = row["cell"], row["length"], row["batch"]
        cases.setdefault(key, {})[row["work"]] = by_case[row["case"]]
    return {key: works for key, works in sorted(cases.items()) if works.keys() >= set(WORKS)}


def in_order(works: dict[str, Seconds]) -> list[str]:
    """The methods, the fastest first, by the geometric mean of the works."""
    methods = [method for method in METHODS if all(method in times for times in works.values())]
    return sorted(methods, key=lambda m: geometric_mean([float(np.median(times[m])) for times in works.values()]))


def fastest_text(folder: Path = FOLDER) -> str:
    """For each kind of device, cell, B and T the methods, the fastest first. Of several devices of a kind the last."""
    found: dict[str, dict[str, dict[str, dict[str, list[str]]]]] = {}
    for path in sorted(folder.glob("*-linear.json")):
        stored = read(path)
        platform = "cpu" if stored["environment"]["device"].startswith("cpu") else "gpu"
        found[platform] = {}
        for (name, length, batch), works in measured_cases(stored).items():
            cell = found[platform].setdefault(rnn_jax.CELLS[name].__name__, {})
            cell.setdefault(str(batch), {})[str(length)] = in_order(works)
    lines = json.dumps(found, indent=1)
    return re.sub(r"\[[^]]*\]", lambda methods: " ".join(methods[0].split()), lines) + "\n"  # a list in one line


if __name__ == "__main__":
    main(tyro.cli(Config))
