"""The tables of all cells, drawn from the cells themselves: `python -m rnn_jax.cells.table` puts them in README.md."""

import importlib
import json
import math
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
STATE_TRACKING = Path(__file__).parents[2] / "experiments" / "results" / "state_tracking.json"
"""Committed results, in a checkout."""
SIZE = 256
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
    tracked, elman = state_tracking(STATE_TRACKING), _flops(CELLS["elman"](SIZE, SIZE))
    parts = [
        "State tracking is what `experiments.state_tracking` has measured so far, means over seeds: accuracy in %, or "
        "scaled so that guesses have 0 and 1 is all right."
    ]
    for kind, members in families.items():
        members = sorted(members, key=lambda name: CELLS[name].papers[0].year)
        lines = [COLUMNS, ["---"] * len(COLUMNS), *(_row(name, elman) for name in members)]
        if any(name in tracked for name in members):
            last = ["state tracking", "---", *(tracked.get(name, "") for name in members)]
            lines = [[*line, column] for line, column in zip(lines, last, strict=True)]
        about = str(importlib.import_module(f"rnn_jax.cells.{kind}").__doc__)
        parts.append("\n".join([f"## {kind.capitalize()}", "", about, "", *(f"| {' | '.join(x)} |" for x in lines)]))
    return "\n\n".join(parts)


def state_tracking(results: Path) -> dict[str, str]:
    """What the experiment `state_tracking` found for each cell: task, options if any, mean over seeds.

    Args:
        results: its file of results. Of several sizes of a network the best one counts. Without a file nothing is told.
    """
    if not results.exists():
        return {}
    best: dict[tuple[str, str, str], tuple[float, bool]] = {}
    for result in json.loads(results.read_text())["results"]:
        if result["config"]["model"] == "recurrent":
            name, _, options = result["config"]["cell"].partition("(")
            key = name, result["task"], options.removesuffix(")")
            best[key] = max(best.get(key, (-math.inf, False)), (result["mean"], result["metric"].endswith("%")))
    told: dict[str, list[str]] = {}
    for (name, task, options), (mean, percent) in sorted(best.items()):
        value = f"{mean:.0f} %" if percent else f"{mean:.2f}"
        told.setdefault(name, []).append(f"{task}: {value}" + (f" with {options}" if options else ""))
    return {name: "; ".join(parts) for name, parts in told.items()}


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
