"""All that a GPU has to show, in one command of at most eight minutes.

    python -m benchmarks.accelerator                 # on the accelerator; goes on where it was stopped
    python -m benchmarks.accelerator --short         # a minute, on a CPU too, written to runs/

First, every method of a few cells is held to values and gradients in float64 from the CPU; a case that is too far off
is told, and exits with 1. Then, in short form, `compare` with PyTorch and `jax.experimental.rnn`, both of which are
cuDNN, `linear` and `newton`. In float32, and but for Newton's method, whose tolerance is below it, in bfloat16.
"""

import dataclasses
import functools
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import rnn_jax
from benchmarks import compare, compare_table, linear, newton
from benchmarks.results import Results, Row, result_file
from benchmarks.timing import device_name
from rnn_jax.unroll import methods_of

DTYPES = ("float32", "bfloat16")
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1}
"""How far values and gradients may be from those in float64, in parts of the largest number; or twice as far as those
step by step on the CPU, where the equations of a cell lose more in that dtype."""
LENGTH, BATCH, SIZE = 64, 8, 32


@dataclasses.dataclass(frozen=True)
class Config:
    """What to check and to measure.

    Attributes:
        cells: whose methods are checked, names in `rnn_jax.CELLS`.
        shapes: B,T,D,H each, for `compare`.
        linear: linear cells to measure.
        lengths: T, for `linear` and `newton`.
        seconds: how long about the rounds of one case take.
        minutes: after so many no other case begins.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
        short: the smallest form, on any device, nothing committed.
    """

    cells: tuple[str, ...] = ("lstm", "gru", "elman", "slstm", "mingru", "lru", "mlstm")
    shapes: tuple[str, ...] = ("32,100,64,128", "64,128,512,512")
    linear: tuple[str, ...] = ("mingru", "lru", "mlstm")
    lengths: tuple[int, ...] = (256, 4096)
    seconds: float = 1.0
    minutes: float = 7.5
    output: Path | None = None
    fresh: bool = False
    short: bool = False


def main(config: Config) -> int:
    ends = time.monotonic() + 60 * config.minutes
    on_cpu = jax.default_backend() == "cpu"
    if on_cpu and not config.short:
        raise SystemExit("there is no accelerator here; --short runs the smallest form")
    if config.short:
        output = config.output or Path("runs/benchmarks") / f"accelerator-short-{device_name()}.json"
        small: dict[str, Any] = {"cells": ("lstm", "mingru"), "shapes": ("4,16,8,16",), "linear": ("mingru",)}
        config = dataclasses.replace(config, **small, lengths=(64,), seconds=0.1, output=output, fresh=True)
    if on_cpu:
        print("left out: cuDNN, through PyTorch and through jax.experimental.rnn, needs an NVIDIA GPU")
    try:
        jax.devices("cpu")
    except RuntimeError:
        raise SystemExit(
            "the reference is computed on the CPU: set JAX_PLATFORMS=cuda,cpu, or leave it unset"
        ) from None
    jax.config.update("jax_default_matmul_precision", "float32")
    results = Results(config.output or result_file("accelerator"), "accelerator", config.fresh, processes="own")
    for case, measure in cases(config, on_cpu):
        if case in results:
            continue
        if time.monotonic() > ends:
            print("time is up; what is left is measured by the same command again")
            break
        found = measure()
        kind, dtype = case.split()[0], case.split()[-1]
        found = [{**row, "case": case, "part": kind, "dtype": dtype} for row in found]
        results.add(found)
        print(case, *(_line(row) for row in found), flush=True)
    print(f"{table(results.stored)}\n{results.path}")
    wrong = [f"{row['case']} {row['program']}" for row in results.rows if row["part"] == "check" and not row["holds"]]
    print("\n".join(f"too far from float64: {one}" for one in wrong))
    return int(bool(wrong))


def cases(config: Config, on_cpu: bool) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    """Names, and what measures or checks; the most important first."""
    for dtype, name in itertools.product(DTYPES, config.cells):
        yield f"check {name} {dtype}", functools.partial(check, name, dtype)
    cells = ("lstm",) if config.short else ("lstm", "gru", "elman")
    for dtype, text, name in itertools.product(DTYPES, config.shapes, cells):
        shape = compare.Shape(*map(int, text.split(",")))
        yield f"compare {name} {shape} {dtype}", functools.partial(compared, name, shape, dtype, config.seconds, on_cpu)
    for dtype, name, length, work in itertools.product(DTYPES, config.linear, config.lengths, linear.WORKS):
        sizes = (length, 16, 128)
        case = f"linear {work} {name} T{length} B16 H128 {dtype}"
        yield case, functools.partial(linear.measure, case, work, name, *sizes, config.seconds, dtype)
    for name, length, size, work in itertools.product(("elman", "gru"), config.lengths, (4, 16), linear.WORKS):
        case = f"newton {work} {name} T{length} B1 H{size} float32"
        yield case, functools.partial(newton.measure, case, work, name, length, 1, size, config.seconds)


def check(name: str, dtype: str) -> list[Row]:
    """How far each method is from going step by step in float64 on the CPU, in parts of the largest number."""
    cell, random = rnn_jax.CELLS[name](SIZE, SIZE), np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: np.asarray(leaf.astype(dtype), np.float64), cell.init(jax.random.key(0)))
    xs, weights = (np.asarray(jnp.asarray(random.normal(size=(LENGTH, BATCH, SIZE)), dtype), np.float64) for _ in "ab")

    def program(method: str) -> Any:
        def loss(params: Any, xs: jax.Array) -> tuple[jax.Array, jax.Array]:
            ys = rnn_jax.unroll(cell, params, xs, method=method).ys
            return (ys * jnp.asarray(weights, ys.dtype)).sum(), ys

        return jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))

    def narrow() -> tuple[Any, Any]:
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (params, xs))

    def errors(given: Any) -> tuple[float, float]:
        gradients, values = (float(np.max(jax.tree.leaves(one))) for one in jax.tree.map(_apart, given, wanted))
        return values, gradients

    with jax.default_device(jax.devices("cpu")[0]):
        with jax.enable_x64(True):
            wanted = jax.tree.map(np.asarray, program("sequential")(params, xs))
        allowed = max(TOLERANCES[dtype], 2 * max(errors(program("sequential")(*narrow()))))
    found = []
    # Newton's method in bfloat16 ends step by step: what it asks of its iterations is below the dtype's own steps.
    names = [method for method in ("auto", *methods_of(cell)) if (method, dtype) != ("newton", "bfloat16")]
    for method in names:
        values, gradients = errors(program(method)(*narrow()))
        holds = values <= allowed and gradients <= allowed
        found.append({"program": method, "cell": name, "values": values, "gradients": gradients, "holds": holds})
    return found


def compared(name: str, shape: compare.Shape, dtype: str, seconds: float, on_cpu: bool) -> list[Row]:
    """Forward and training as `compare` measures them."""
    peers = ("sequential",) if on_cpu else ("torch", "cudnn")
    config = compare.Config(peers=peers, dtype=dtype, seconds=seconds)
    return [row for rows in compare.measured(config, ("forward", "training"), name, shape) for row in rows]


def table(stored: dict[str, Any]) -> str:
    """Markdown: what was checked, and the tables of each benchmark for each dtype."""
    lines = [
        "How far values and gradients are from those in float64 on the CPU, in parts of the largest number:\n",
        "| cell | dtype | method | values | gradients |",
        "|---|---|---|---|---|",
    ]
    for row in (row for row in stored["rows"] if row["part"] == "check"):
        numbers = f"{row['values']:.1e} | {row['gradients']:.1e}"
        lines.append(f"| `{row['cell']}` | {row['dtype']} | {row['program']} | {numbers} |")
    tables = {"compare": compare_table.table, "linear": linear.table, "newton": newton.table}
    for part, dtype in itertools.product(tables, DTYPES):
        rows = [row for row in stored["rows"] if (row["part"], row["dtype"]) == (part, dtype)]
        if rows:
            lines += ["", f"**`{part}` in {dtype}**", "", tables[part](stored | {"rows": rows})]
    return "\n".join(lines)


def _line(row: Row) -> str:
    if row["part"] == "check":
        return f"{row['program']} {row['values']:.1e} {row['gradients']:.1e};"
    return f"{row['program']} {row['median'] * 1e3:.3g} ms;"


def _apart(given: Any, wanted: np.ndarray) -> float:
    return float(np.abs(np.asarray(given, np.float64) - wanted).max() / max(np.abs(wanted).max(), 1e-30))


if __name__ == "__main__":
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # all processes share the memory of a GPU
    sys.exit(main(tyro.cli(Config)))
