"""Where the fused loop of a gated cell is faster than going step by step, on a CPU.

    python -m benchmarks.fused                       # all cases, six minutes; goes on where it was stopped
    python -m benchmarks.fused --short               # a few cases, written to runs/
    python -m benchmarks.fused --write               # afterwards, what method="auto" goes by

Cells as initialized, D = H, over normal inputs, in float32: a forward pass, and the loss with all gradients. Both
methods in turns, in one process, on one device. The LSTM has the largest kernel of the cells, and most to do beside it;
the Elman cell has the smallest, and least.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import rnn_jax
from benchmarks.results import FOLDER, Results, Row, read, result_file
from benchmarks.timing import Ratio, affordable, cores, device_name, geometric_mean, interleaved, rows
from rnn_jax.unroll.fused import kernel_size

METHODS = ("fused", "sequential")
WORKS = ("forward", "training")
FUSED = Path(rnn_jax.__file__).parent / "unroll" / "fused.json"
LARGEST = 2**30
"""Products of numbers in a forward pass, at most: those of longer sequences tell what these tell."""
LONG = 64
"""Steps from which on a sequence says which rows and kernels are enough."""
NEVER = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        cells: names in `rnn_jax.CELLS`.
        batches: B.
        hidden_sizes: H.
        lengths: T.
        seconds: how long about the rounds of one case take.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
        write: afterwards, write what `method="auto"` goes by from the result files at hand.
        short: a few cases, nothing committed.
    """

    cells: tuple[str, ...] = ("lstm", "elman")
    batches: tuple[int, ...] = (1, 2, 4, 8, 12, 16, 32)
    hidden_sizes: tuple[int, ...] = (16, 64, 256, 512)
    lengths: tuple[int, ...] = (4, 16, 64, 256)
    seconds: float = 0.15
    output: Path | None = None
    fresh: bool = False
    write: bool = False
    short: bool = False


def main(config: Config) -> None:
    if jax.default_backend() != "cpu" or jax.device_count() != 1:
        raise SystemExit("the fused loop is for one CPU device: JAX_PLATFORMS=cpu, JAX_NUM_CPU_DEVICES=1")
    if config.short:
        if config.write:
            raise SystemExit("--write needs all cases: leave out --short")
        output = config.output or Path("runs/benchmarks") / f"fused-short-{device_name()}.json"
        config = dataclasses.replace(
            config, batches=(1, 16), hidden_sizes=(16, 64), lengths=(16, 64), output=output, fresh=True
        )
    results = Results(config.output or result_file("fused"), "fused", config.fresh)
    for name, length, batch, size in cases(config):
        if (case := f"{name} T{length} B{batch} H{size}") not in {
            row["case"].partition(" ")[2] for row in results.rows
        }:
            found = measure(case, name, length, batch, size, config.seconds)
            results.add(found)
            ratios = {row["work"]: Ratio(**row["ratios"]["sequential"]) for row in found if "ratios" in row}
            print(case, *(f"{work} {ratio}" for work, ratio in ratios.items()), flush=True)
    print(table(results.stored))
    if config.write:
        FUSED.write_text(fused_text() or "")


def cases(config: Config) -> Iterator[tuple[str, int, int, int]]:
    """Cells, T, B and H that are not too large."""
    for name, length, batch, size in itertools.product(
        config.cells, config.lengths, config.batches, config.hidden_sizes
    ):
        if length * batch * kernel_size(rnn_jax.CELLS[name](size, size)) <= LARGEST:
            yield name, length, batch, size


def measure(case: str, name: str, length: int, batch: int, size: int, seconds: float) -> list[Row]:
    """The rows of one case: forward and training, both methods each."""
    cell = rnn_jax.CELLS[name](size, size)
    params = cell.init(jax.random.key(0))
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(length, batch, size)), jnp.float32)

    def compiled(work: str, method: str) -> Any:
        def forward(params: Any, xs: jax.Array) -> jax.Array:
            return rnn_jax.unroll(cell, params, xs, method=method).ys

        def training(params: Any, xs: jax.Array) -> Any:
            return jax.value_and_grad(lambda *args: jnp.square(forward(*args)).mean(), argnums=(0, 1))(params, xs)

        program = jax.jit({"forward": forward, "training": training}[work]).lower(params, xs).compile()
        return lambda: program(params, xs)

    both = list(itertools.product(WORKS, METHODS))
    with ThreadPoolExecutor(cores()) as pool:
        programs = dict(zip(both, pool.map(lambda one: compiled(*one), both), strict=True))
    calls = max(1, 256 // length)  # a call of microseconds is repeated within its turn
    found = []
    for work in WORKS:
        pair = {method: programs[work, method] for method in METHODS}
        times = interleaved(pair, affordable(pair, seconds, calls), calls, warm=True)
        about = {"work": work, "cell": name, "length": length, "batch": batch, "hidden_size": size}
        about["kernel"] = kernel_size(cell)
        measured = rows(f"{work} {case}", times, reference="fused")
        found += [measured[0] | about, *measured[1:]]
    return found


def table(stored: dict[str, Any]) -> str:
    """Markdown: a line for each cell, H and T, a column for each B."""
    works: dict[Any, dict[str, float]] = {}
    for row in (row for row in stored["rows"] if "ratios" in row):
        key = (row["cell"], row["hidden_size"], row["length"], row["batch"])
        works.setdefault(key, {})[row["work"]] = row["ratios"]["sequential"]["value"]
    batches = sorted({key[-1] for key in works})
    lines = [
        "Time of the step-by-step method over that of the fused loop, forward / training: above 1, the fused loop is "
        "faster.\n",
        f"| cell | H | T | {' | '.join(f'B {batch}' for batch in batches)} |",
        "|---|---|---|" + "---|" * len(batches),
    ]
    for line in sorted({key[:-1] for key in works}):
        found = [works.get((*line, batch), {}) for batch in batches]
        columns = " | ".join(" / ".join(f"{one[work]:.2f}" for work in WORKS if work in one) for one in found)
        lines.append(f"| `{line[0]}` | {line[1]} | {line[2]} | {columns} |")
    return "\n".join(lines)


def fused_text(folder: Path = FOLDER) -> str | None:
    """What `method="auto"` goes by, from the last result file of a CPU; None if there is none."""
    stored = [read(path) for path in sorted(folder.glob("cpu-*-fused.json"))]
    return json.dumps(bounds(stored[-1]["rows"]), indent=1, sort_keys=True) + "\n" if stored else None


def bounds(measured: list[Row]) -> dict[str, int]:
    """From how many rows on the fused loop is the faster one for kernels of all sizes, and up to which kernel for any.

    Both by sequences of `LONG` steps and more; `length` is the least T from which on it is the faster one with every
    kernel that they choose. Faster is by the geometric mean over all else: a single case is measured too shortly.
    """
    gains: dict[tuple[int, int, int], list[float]] = {}
    for row in (row for row in measured if "ratios" in row):
        key = (row["length"], row["batch"], row["kernel"])
        gains.setdefault(key, []).append(row["ratios"]["sequential"]["value"])

    def wins(chosen: dict[tuple[int, int, int], list[float]], place: int) -> dict[int, bool]:
        sizes = sorted({key[place] for key in chosen})
        pooled = {size: [one for key, some in chosen.items() if key[place] == size for one in some] for size in sizes}
        return {size: geometric_mean(some) >= 1 for size, some in pooled.items()}

    long = {key: some for key, some in gains.items() if key[0] >= LONG}
    rows = _last_stretch(wins(long, 1))
    few = {key: some for key, some in long.items() if key[1] < rows}
    lost = min((size for size, won in wins(few, 2).items() if not won), default=NEVER)
    kernel = max((key[2] for key in long if key[2] < lost), default=0)
    chosen = {key: some for key, some in gains.items() if key[1] >= rows or key[2] <= kernel}
    lengths = sorted({key[0] for key in chosen})
    for_all = {
        length: all(wins({key: some for key, some in chosen.items() if key[0] == length}, 2).values())
        for length in lengths
    }
    return {"kernel": kernel, "length": _last_stretch(for_all), "rows": rows}


def _last_stretch(wins: dict[int, bool]) -> int:
    """The least size from which on all are wins."""
    lost = max((size for size, won in wins.items() if not won), default=0)
    return min((size for size in wins if size > lost), default=NEVER)


if __name__ == "__main__":
    main(tyro.cli(Config))
