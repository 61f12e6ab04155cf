"""The table of all cells, drawn from the cells themselves: `python -m rnn_jax.cells.table` rewrites it in README.md."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells import CELLS, Cell, count_parameters
from rnn_jax.cells.base import carry_shapes, param_shapes
from rnn_jax.checks import is_shape

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- cells: written by `python -m rnn_jax.cells.table` -->", "<!-- end of cells -->"
SIZE = 256


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


def table() -> str:
    """All cells as a Markdown table."""
    lines = [
        f"| name | class | source | parameters | carry at H = {SIZE} | operations per step, Elman = 1 | methods |",
        "|---|---|---|---|---|---|---|",
    ]
    elman = _flops(CELLS["elman"](SIZE, SIZE))
    for name, cell_type in CELLS.items():
        cell = cell_type(SIZE, SIZE)
        carry = count_parameters(carry_shapes(cell, ()))
        if not cell_type.papers:
            raise ValueError(
                f"cell={cell_type.__name__}: it has no papers, expected papers = (Paper(...),) in the class"
            )
        source = cell_type.papers[0].short()
        cost = float(f"{_flops(cell) / elman:.2g}")
        lines.append(
            f"| `{name}` | `{cell_type.__name__}` | {source} | {parameter_formula(cell_type)} | {carry:,} | {cost:g} "
            f"| {', '.join(cell.methods)} |"
        )
    return "\n".join(lines)


def write(readme: Path = README) -> None:
    """Put the table in its place in the README."""
    before, _, rest = readme.read_text().partition(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}")


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
