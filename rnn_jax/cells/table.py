"""The tables of all cells, drawn from the cells themselves: `python -m rnn_jax.cells.table` puts them in README.md."""

import importlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells import CELLS, Cell, count_parameters
from rnn_jax.cells.base import carry_shapes, param_shapes
from rnn_jax.checks import is_shape

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- cells: written by `python -m rnn_jax.cells.table` -->", "<!-- end of cells -->"
STUDIES = Path(__file__).parents[2] / "experiments" / "studies"
SPEEDS = Path(__file__).parents[2] / "benchmarks" / "results"
"""What was measured, in a checkout."""
TASKS = {"parity": "parity", "s3": "S3", "a5": "A5"}
SIZE = 256
LONG = "training 4,096 steps, GRU = 1"
MEASURED = """\
Parity, S3, A5: what was learned of following them, which is less than what can be. 0 for guesses, 1 for all right, one
seed each; two layers in residual blocks, all cells with the same settings (`experiments/studies/state-tracking-*`): 32
units trained to 40 steps and scored to 256, for A5 64 units, 20 steps and 128. [-1, 1] stands for
`negative_eigenvalues=True`. Speeds are those of `benchmarks/linear.py`, H = 128, the fastest method beside a GRU that
goes step by step: a matrix of a carry has H times the numbers of a GRU's carry to work on in each step, which eats what
going through time at once gains."""
OPERATIONS = "operations per step, Elman = 1"
COLUMNS = ("name", "class", "year", "source", "parameters", f"carry at H = {SIZE}", OPERATIONS, "methods")


def parameter_formula(cell: type[Cell]) -> str:
    """The count of parameters with the default options, as the docstring of a cell's class gives it.

    D and H are the sizes, other letters the arguments whose description starts with them ("state_size: N.").

    Raises:
        ValueError: there is no line "Parameters: FORMULA.".
    """
    found = re.search(r"Parameters: (.+?)\.(?:\s|$)", cell.__doc__ or "", re.DOTALL)
    if found is None:
        raise ValueError(f"cell={cell.__name__}: its docstring has no line 'Parameters: FORMULA.'")
    return " ".join(found[1].split())


def family(cell: type[Cell]) -> str:
    """The name of the folder that a cell is in."""
    return cell.__module__.split(".")[2]


def tables(names: Iterable[str] = tuple(CELLS)) -> str:
    """The cells called `names` as Markdown: a heading and a table a family, in the order of years.

    Raises:
        ValueError: a cell has no papers, or no formula.
    """
    families: dict[str, list[str]] = {}
    for name in names:
        if not CELLS[name].papers:
            raise ValueError(f"cell={name}: it has no papers, expected papers = (Paper(...),) in the class")
        families.setdefault(family(CELLS[name]), []).append(name)
    tracked, speeds, elman = state_tracking(STUDIES), speeds_beside_gru(SPEEDS), _flops(CELLS["elman"](SIZE, SIZE))
    parts = [MEASURED]
    for kind, members in families.items():
        members = sorted(members, key=lambda name: CELLS[name].papers[0].year)
        lines = [COLUMNS, ["---"] * len(COLUMNS), *(_row(name, elman) for name in members)]
        for head, found in {**tracked, LONG: speeds}.items():
            if any(name in found for name in members):
                column = [head, "---", *(found.get(name, "") for name in members)]
                lines = [[*line, cell] for line, cell in zip(lines, column, strict=True)]
        about = str(importlib.import_module(f"rnn_jax.cells.{kind}").__doc__)
        parts.append("\n".join([f"## {kind.capitalize()}", "", about, "", *(f"| {' | '.join(x)} |" for x in lines)]))
    return "\n\n".join(parts)


def state_tracking(studies: Path) -> dict[str, dict[str, str]]:
    """For each task the mean over seeds that the study `state-tracking-TASK` found for each cell.

    Args:
        studies: the folder of studies; without one nothing is told. Their conditions are named as cells, those with
            other than the default options NAME [OPTION].
    """
    found: dict[str, dict[str, str]] = {}
    for task, head in TASKS.items():
        file = studies / f"state-tracking-{task}" / "study.json"
        for condition in json.loads(file.read_text())["cells"] if file.exists() else []:
            values = [seed["value"] for seed in condition["seeds"].values() if seed.get("value") is not None]
            name, _, option = condition["fields"]["set"].partition(" ")
            if values and name in CELLS:
                told = f"{max(0.0, sum(values) / len(values)):.2f}" + (f" {option}" if option else "")
                column = found.setdefault(head, {})
                column[name] = f"{column[name]}, {told}" if name in column else told
    return found


def speeds_beside_gru(results: Path) -> dict[str, str]:
    """How many times faster than a GRU step by step a linear cell trains at 4,096 steps, at one row and at 16.

    Args:
        results: the folder of benchmarks; without one nothing is told. Of several devices the last one counts.
    """
    times: dict[tuple[str, int], dict[str, float]] = {}
    cases: dict[str, tuple[str, int]] = {}
    for file in sorted(results.glob("cpu*-linear.json")):
        rows = json.loads(file.read_text())["rows"]
        for row in rows:
            if row.get("work") == "training" and row["length"] == 4096:
                cases[row["case"]] = row["cell"], row["batch"]
        for row in rows:
            if row["case"] in cases:
                times.setdefault(cases[row["case"]], {})[row["program"]] = row["median"]
    told: dict[str, str] = {}
    for (name, batch), seconds in sorted(times.items()):
        if "gru" in seconds:
            own = min(value for program, value in seconds.items() if not program.startswith("gru"))
            told[name] = ", ".join(filter(None, (told.get(name), f"B = {batch}: {seconds['gru'] / own:.2g}")))
    return told


def _row(name: str, elman: float) -> list[str]:
    """What stands under `COLUMNS` for a cell."""
    cell, paper = CELLS[name](SIZE, SIZE), CELLS[name].papers[0]
    return [
        f"`{name}`",
        f"`{type(cell).__name__}`",
        str(paper.year),
        paper.surnames() + (f", arXiv:{paper.arxiv}" if paper.arxiv else ""),
        parameter_formula(type(cell)),
        f"{count_parameters(carry_shapes(cell, ())):,}",
        f"{float(f'{_flops(cell) / elman:.2g}'):g}",
        ", ".join(cell.methods),
    ]


def write(readme: Path = README) -> None:
    """Put the tables in their place in the README."""
    before, _, rest = readme.read_text().partition(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}")


def _flops(cell: Cell) -> float:
    """Operations of one step of one row, as XLA counts them before it optimises."""
    carry, params = carry_shapes(cell, ()), param_shapes(cell)
    prepared = jax.eval_shape(cell.prepare, params)
    x = jax.tree.map(lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32), cell.input_shape, is_leaf=is_shape)

    def step(params, carry, x):
        return cell.step(params, carry, cell.project(params, x))

    analysis: Any = jax.jit(step).lower(prepared, carry, x).cost_analysis()
    return analysis["flops"]


if __name__ == "__main__":
    write()
