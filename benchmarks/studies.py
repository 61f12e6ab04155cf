"""A study against as many single runs: three cells, eight seeds, a character model of a small text.

    python -m benchmarks.studies

Both ways are whole programs as a user starts them, one at a time: `python -m experiments.ablate` once, and
`python -m experiments.text_generation` for each cell and seed; half of these before the study and half after it, so
that both have the same machine. The text is this project's README. That the study trains the same networks is checked
on their values, which differ by what rounding makes of them.
"""

import dataclasses
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.results import Results, result_file
from benchmarks.timing import cores

ROOT = Path(__file__).parent.parent
CELLS = ("elman", "lstm", "gru")


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        steps: updates of each run.
        hidden_size: H.
        seeds: of each cell.
        layout: of the study.
        tolerance: how far the mean value of a cell may be from that of its single runs, as a part of it.
        output: the result file; the device's by default.
        fresh: measure all anew.
    """

    steps: int = 200
    hidden_size: int = 32
    seeds: int = 8
    layout: str = "vmap"
    tolerance: float = 0.02
    output: Path | None = None
    fresh: bool = False


def main(config: Config) -> None:
    results = Results(config.output or result_file("studies"), "studies", config.fresh)
    case = f"{len(CELLS)} cells x {config.seeds} seeds, H = {config.hidden_size}, {config.steps} updates"
    if case not in results:
        with tempfile.TemporaryDirectory() as folder:
            results.add(measured(config, Path(folder), case))
    print(table(results.stored))


def measured(config: Config, folder: Path, case: str) -> list[dict[str, Any]]:
    """The rows of both ways.

    Raises:
        ValueError: they do not come to the same values.
    """
    settings = {
        "corpus": ROOT / "README.md", "hidden_size": config.hidden_size, "steps": config.steps,
        "evaluate_every": max(10, config.steps // 2 // 10 * 10), "batch_size": 16, "length": 32,
    }  # fmt: skip
    flags = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]

    def single(cell: str, seed: int) -> float:
        words = ["--cell", cell, "--seed", str(seed), "--runs", str(folder), "--name", f"{cell}-{seed}"]
        return seconds(["experiments.text_generation", *flags, *words])

    runs = list(itertools.product(CELLS, range(config.seeds)))
    alone = [single(*run) for run in runs[::2]]
    fixed = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    words = ["--vary", f"cell={','.join(CELLS)}", "--seeds", str(config.seeds), "--layout", config.layout]
    study = seconds(["experiments.ablate", "text_generation", *words, *fixed, "--study", str(folder / "study")])
    alone += [single(*run) for run in runs[1::2]]
    compare_values(config, folder)
    row = {"case": case, "program": f"one study, {config.layout}", "median": study, "spread": 0.0, "seconds": [study]}
    ratio = sum(alone) / study
    others = {"median": sum(alone), "spread": 0.0, "seconds": alone}
    return [
        row | {"ratios": {"single runs": {"value": ratio, "low": ratio, "high": ratio}}},
        {"case": case, "program": "single runs", **others},
    ]


def seconds(words: list[str]) -> float:
    """How long a program takes, from its start to its end."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{' '.join(words)} failed: {done.stderr[-2000:]}")
    return time.perf_counter() - began


def compare_values(config: Config, folder: Path) -> None:
    """Compare the mean value of each cell in the study with that of its single runs.

    Raises:
        ValueError: it is another one, or not all of the study was trained in the layout that was asked for.
    """
    study = json.loads((folder / "study" / "study.json").read_text())
    for cell in study["cells"]:
        if layouts := {seed.get("layout") for seed in cell["seeds"].values()} - {config.layout}:
            raise ValueError(f"{cell['name']} was trained as {layouts}: {cell['notes']}")
        name = cell["fields"]["cell"]
        files = [folder / "text_generation" / f"{name}-{seed}" / "result.json" for seed in range(config.seeds)]
        wanted = np.mean([json.loads(file.read_text())["value"] for file in files])
        found = np.mean([seed["value"] for seed in cell["seeds"].values()])
        if not abs(found - wanted) <= config.tolerance * wanted:
            raise ValueError(f"{name}: the study has the mean value {found:.4f}, single runs {wanted:.4f}")


def table(stored: dict[str, Any]) -> str:
    """Markdown: whole seconds, and how many times as long single runs take."""
    lines = ["| work | how | seconds | its time over that of the study |", "|---|---|---|---|"]
    for row in stored["rows"]:
        ratio = "1"
        if row["program"] == "single runs":
            study = next(r for r in stored["rows"] if r["case"] == row["case"] and "ratios" in r)
            ratio = f"{study['ratios']['single runs']['value']:.2f}"
        lines.append(f"| {row['case']} | {row['program']} | {row['median']:.1f} | {ratio} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(f"{cores()} cores")
    main(tyro.cli(Config))
