"""What `checkpoint_every` saves: memory at the peak of an LSTM's training against the length of the sequence.

    python -m benchmarks.memory

One update of an LSTM whose loss is of its last output, with every step kept for the gradient, with the carry kept every
√T steps, and every 100 steps. Two accounts: the compiler's of temporary memory, and by how much the peak of a process
of its own grew when it ran. The time of an update stands beside them, for what is recomputed must be paid. The longest
sequence is trained on with segments only.
"""

import dataclasses
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import rnn_jax
from benchmarks.results import Results, Row, result_file
from rnn_jax.analysis.figures import draws, label_lines, new_figure, save_figure

INPUT_SIZE, HIDDEN_SIZE = 32, 64
POLICIES: dict[str, Callable[[int], int | None]] = {
    "every step kept": lambda length: None,
    "√T": math.isqrt,
    "100": lambda length: 100,
}
CASES = [(length, 16, policy) for length in (100, 400, 1600, 6400) for policy in POLICIES]
CASES += [(100_000, 1, policy) for policy in ("√T", "100")]


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
        one: the number of the one case to measure here, in this process, and to print; the command calls itself so.
    """

    output: Path | None = None
    fresh: bool = False
    one: int | None = None


def main(config: Config) -> None:
    if config.one is not None:
        print(json.dumps(measure(*CASES[config.one])))
        return
    results = Results(config.output or result_file("memory"), "memory", config.fresh)
    for number, (length, batch, policy) in enumerate(CASES):
        case = f"T{length} B{batch}, {policy}"
        if case in results:
            continue
        command = [sys.executable, "-m", "benchmarks.memory", "--one", str(number)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        results.add([{"case": case, "program": "rnn_jax", "length": length, "batch": batch, "policy": policy} | found])
        print(_line(results.rows[-1]), flush=True)
    figure(results.stored, results.path.with_suffix(".png"))
    print(table(results.stored))


def measure(length: int, batch: int, policy: str) -> Row:
    """Bytes and seconds of one update."""
    update = compiled_update(length, batch, POLICIES[policy](length))
    sizes: Any = update.memory_analysis()
    params = rnn_jax.LSTM(INPUT_SIZE, HIDDEN_SIZE).init(jax.random.key(0))
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(length, batch, INPUT_SIZE)), jnp.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    jax.block_until_ready(update(params, xs))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        loss = jax.block_until_ready(update(params, xs))[1]
        seconds.append(time.perf_counter() - began)
    if not np.isfinite(loss):
        raise ArithmeticError(f"the loss of T{length}, {policy}, is {loss}")
    return {
        "bytes": sizes.temp_size_in_bytes,
        "resident_bytes": 1024 * grown,  # Linux counts in KiB
        "median": statistics.median(seconds),
    }


def compiled_update(length: int, batch: int, every: int | None) -> jax.stages.Compiled:
    """One step of gradient descent on the mean square of the last output."""
    cell = rnn_jax.LSTM(INPUT_SIZE, HIDDEN_SIZE)

    def loss(params: Any, xs: jax.Array) -> jax.Array:
        return jnp.square(rnn_jax.unroll(cell, params, xs, checkpoint_every=every).carry.hidden).mean()

    def update(params: Any, xs: jax.Array) -> Any:
        value, gradients = jax.value_and_grad(loss)(params, xs)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    shapes = jax.eval_shape(cell.init, jax.random.key(0))
    return jax.jit(update).lower(shapes, jax.ShapeDtypeStruct((length, batch, INPUT_SIZE), jnp.float32)).compile()


def table(stored: dict[str, Any]) -> str:
    """Markdown: lengths against policies."""
    lines = ["| T | batch | carry kept | temporary memory | process grew by | an update |", "|---|---|---|---|---|---|"]
    lines += [_line(row) for row in stored["rows"]]
    return "\n".join(lines)


@draws
def figure(stored: dict[str, Any], path: Path) -> None:
    """Temporary memory against T, a line for each policy."""
    drawing = new_figure(3.6, title=f"LSTM, D = {INPUT_SIZE}, H = {HIDDEN_SIZE}, by checkpoint_every")
    axes = drawing.subplots()
    shortest = min(row["batch"] for row in stored["rows"])
    for policy in POLICIES:
        rows = [row for row in stored["rows"] if row["policy"] == policy and row["batch"] > shortest]
        name = f"every {policy} steps" if policy != "every step kept" else policy
        axes.loglog([r["length"] for r in rows], [r["bytes"] / 1e6 for r in rows], marker="o", label=name)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,g}")
    axes.set(xlabel="T, steps", ylabel="temporary memory of one update, MB")
    label_lines(axes)
    save_figure(drawing, path)


def _line(row: Row) -> str:
    sizes = f"{row['bytes'] / 1e6:.3g} MB | {row['resident_bytes'] / 1e6:.3g} MB"
    return f"| {row['length']:,} | {row['batch']} | {row['policy']} | {sizes} | {row['median'] * 1e3:.3g} ms |"


if __name__ == "__main__":
    main(tyro.cli(Config))
