"""Switches of XLA's CPU compiler: an LSTM with each of them beside one without any.

    python -m benchmarks.switches            # all shapes of `compare`, five minutes; goes on where it was stopped

Each switch has a process of its own, in turns, as the libraries of `compare` have. Step by step, for a native loop is
compiled by another compiler.
"""

import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import tyro

from benchmarks.compare import SHAPES, UPDATES, Shape, problem
from benchmarks.peers import Unavailable
from benchmarks.results import Results, Row, result_file
from benchmarks.timing import PAUSE, Ratio, in_turns, rounds_within, rows
from benchmarks.worker import Worker, store_case

WORKS = ("forward", "training")
SWITCHES = {
    "none": "",
    "vectors of 512 bits": "--xla_cpu_prefer_vector_width=512",
    "vectors of 128 bits": "--xla_cpu_prefer_vector_width=128",
    "no YNN": "--xla_cpu_experimental_ynn_fusion_type=",
    "YNN for products alone": "--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_DOT",
    "no fusion emitters": "--xla_cpu_use_fusion_emitters=false",
    "loops up to 1 MB small": "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1048576",
}
"""XLA_FLAGS by what they are about."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        shapes: B,T,D,H each.
        seconds: how long about the rounds of one case take.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
    """

    shapes: tuple[str, ...] = tuple(",".join(map(str, shape)) for shape in SHAPES)
    seconds: float = 10.0
    output: Path | None = None
    fresh: bool = False


def main(config: Config) -> None:
    results = Results(config.output or result_file("switches"), "switches", config.fresh, processes="own")
    for text in config.shapes:
        shape = Shape(*map(int, text.split(",")))
        if any(f"{work} lstm {shape}" not in results for work in WORKS):
            for found in measured(shape, config.seconds):
                results.add(found)
                ratios = {name: str(Ratio(**one)) for name, one in found[0]["ratios"].items()}
                print(found[0]["case"], ratios, flush=True)
    print(table(results.stored))


def measured(shape: Shape, seconds: float) -> list[list[Row]]:
    """The rows of one shape, work by work; a switch with which it does not run has none."""
    cell, params, xs, targets = problem("lstm", shape)
    with contextlib.ExitStack() as stack:
        workers = {}
        for name, flags in SWITCHES.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            store_case(folder, cell, params=params, xs=xs, targets=targets)
            workers[name] = Worker("sequential", folder, flags)
            stack.callback(workers[name].close)
        for name, worker in list(workers.items()):
            try:
                worker.answer()
            except Unavailable as reason:
                print(f"{name}: {reason}")
                del workers[name]
        found = []
        for work in WORKS:
            once = {name: worker.ask("program", measure=work)["seconds"] for name, worker in workers.items()}
            rounds = rounds_within(seconds, sum(once.values()) + PAUSE * len(once))
            timers = {
                name: lambda worker=worker: worker.ask("turn", calls=1)["seconds"] for name, worker in workers.items()
            }
            measured = rows(f"{work} lstm {shape}", in_turns(timers, rounds), "none")
            found.append([{**row, "work": work, "shape": str(shape)} for row in measured])
        return found


def turn(worker: Worker) -> float:
    """The seconds of one call."""
    return worker.ask("turn", calls=1)["seconds"]


def table(stored: dict[str, Any]) -> str:
    """Markdown: a line for each switch, a column for each shape."""
    shapes = list(dict.fromkeys(row["shape"] for row in stored["rows"]))
    ratios = {
        (row["shape"], row["work"], name): ratio["value"]
        for row in stored["rows"]
        for name, ratio in row.get("ratios", {}).items()
    }
    lines = [
        f"Time without a switch over that with it, forward / training of {UPDATES} updates, step by step: above 1, the "
        "switch makes it faster.\n",
        f"| switch | XLA_FLAGS | {' | '.join(shapes)} |",
        "|---|---|" + "---|" * len(shapes),
    ]
    for name in list(SWITCHES)[1:]:
        cells = [
            " / ".join(f"{ratios[key]:.2f}" if (key := (shape, work, name)) in ratios else "–" for work in WORKS)
            for shape in shapes
        ]
        lines.append(f"| {name} | `{SWITCHES[name]}` | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config))
