"""Where the associative method is faster than going step by step, and what linear cells save beside a GRU.

    python -m benchmarks.linear                      # all cases; goes on where it was stopped
    python -m benchmarks.linear --cells mingru --lengths 4096 --batches 8

Cells as initialized, D = H, over normal inputs, in float32: a forward pass, and the loss with all gradients. The two
methods of a linear cell and a GRU of the same width in turns. `unroll`'s method "auto" goes by these results:
`python -m benchmarks.linear --write` puts them in its table.
"""

import dataclasses
import itertools
import json
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
from benchmarks.timing import Ratio, affordable, geometric_mean, interleaved, rows
from rnn_jax.cells.linear.base import LinearCell

CELLS = tuple(name for name, cell in rnn_jax.CELLS.items() if issubclass(cell, LinearCell))
WORKS = ("forward", "training")
CROSSOVERS = Path(rnn_jax.__file__).parent / "unroll" / "crossovers.json"
LONG = 1024
"""Steps from which on a GRU runs beside the linear cell."""
LARGEST = 2**28
"""Numbers in the carries of a sequence, at most: one gigabyte, of which going step by step keeps several."""


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
        if case not in results and length * batch * carry_size(name, config.hidden_size) <= LARGEST:
            results.add(measure(case, work, name, length, batch, config.hidden_size, config.seconds))
            ratios = next(row["ratios"] for row in reversed(results.rows) if "ratios" in row)
            print(case, *(f"{other} {Ratio(**ratio)}" for other, ratio in ratios.items()), flush=True)
    if config.write:
        CROSSOVERS.write_text(crossovers_text())


def measure(
    case: str, work: str, name: str, length: int, batch: int, size: int, seconds: float, dtype: str = "float32"
) -> list[Row]:
    """The rows of one case: both methods and, for long sequences, a GRU."""
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

    programs = {method: program(name, method) for method in ("associative", "sequential")}
    if length >= LONG:
        programs["gru"] = program("gru", "sequential")
    # A call of microseconds is repeated within its turn.
    calls = max(1, 512 // length)
    times = interleaved(programs, affordable(programs, seconds, calls), calls, warm=True)
    measured = rows(case, times, reference="associative")
    measured[0] |= {"work": work, "cell": name, "length": length, "batch": batch, "hidden_size": size}
    return measured


def table(stored: dict[str, Any]) -> str:
    """Markdown: a line for each cell, T and B, forward and training side by side."""
    lines = [
        "Times of the step-by-step method, and of a GRU as wide, over that of the associative method: above 1, the "
        "associative method is faster.\n",
        "| cell | T | B | forward: sequential | GRU | training: sequential | GRU |",
        "|---|---|---|---|---|---|---|",
    ]
    for (name, length, batch), works in measured_cases(stored).items():
        ratios = [works[work]["ratios"].get(other) for work in WORKS for other in ("sequential", "gru")]
        columns = " | ".join("" if ratio is None else str(Ratio(**ratio)) for ratio in ratios)
        lines.append(f"| `{name}` | {length:,} | {batch} | {columns} |")
    return "\n".join(lines)


def measured_cases(stored: dict[str, Any]) -> dict[tuple[str, int, int], dict[str, Row]]:
    """By cell, T and B: the associative method's rows of both works."""
    cases: dict[tuple[str, int, int], dict[str, Row]] = {}
    for row in (row for row in stored["rows"] if row["program"] == "associative"):
        cases.setdefault((row["cell"], row["length"], row["batch"]), {})[row["work"]] = row
    return {key: works for key, works in sorted(cases.items()) if works.keys() >= set(WORKS)}


def crossovers_text(folder: Path = FOLDER) -> str:
    """For each kind of device, cell and B, the T from which on the associative method is the faster one, or null.

    Faster is by the geometric mean of forward and training. With several devices of a kind, the last file counts.
    """
    found: dict[str, dict[str, dict[str, int | None]]] = {}
    for path in sorted(folder.glob("*-linear.json")):
        stored = read(path)
        platform = "cpu" if stored["environment"]["device"].startswith("cpu") else "gpu"
        wins: dict[tuple[str, int], dict[int, bool]] = {}
        for (name, length, batch), works in measured_cases(stored).items():
            gain = geometric_mean([works[work]["ratios"]["sequential"]["value"] for work in WORKS])
            wins.setdefault((name, batch), {})[length] = gain >= 1
        found[platform] = {}
        for (name, batch), by_length in sorted(wins.items()):
            cell = found[platform].setdefault(rnn_jax.CELLS[name].__name__, {})
            cell[str(batch)] = _from_here_on(by_length)
    return json.dumps(found, indent=1) + "\n"


def _from_here_on(wins: dict[int, bool]) -> int | None:
    """The least T from which on all are wins."""
    least = None
    for length in sorted(wins, reverse=True):
        if not wins[length]:
            break
        least = length
    return least


if __name__ == "__main__":
    main(tyro.cli(Config))
