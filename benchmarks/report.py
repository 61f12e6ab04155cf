"""The README's tables, drawn from the result files: `python -m benchmarks.report`, or with --check only compared.

The module of each benchmark may have `table(stored)`, the Markdown for a result file of its own; `plain_table` stands
in where it has none.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import tyro

from benchmarks.results import FOLDER, read
from benchmarks.timing import Ratio

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- results: written by `python -m benchmarks.report` -->", "<!-- end of results -->"


def main(check: bool = False) -> int:
    """Draw the tables.

    Args:
        check: Write nothing; exit with 1 if the tables are not those of the result files.
    """
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    wanted = f"{before}{BEGIN}\n{results_text()}{END}{rest.partition(END)[2]}"
    if check:
        return int(wanted != text)
    README.write_text(wanted)
    return 0


def results_text(folder: Path = FOLDER) -> str:
    """A section for each result file: what it was measured with, its table, its figure."""
    sections = []
    for path in sorted(folder.glob("*.json")):
        stored = read(path)
        module = importlib.import_module(f"benchmarks.{stored['benchmark']}")
        table = getattr(module, "table", plain_table)(stored)
        environment = stored["environment"]
        versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
        figure = path.with_suffix(".png")
        picture = f"\n![{path.stem}](results/{figure.name})\n" if figure.exists() else ""
        name = path.stem.partition(f"{environment['device']}-")[2]  # a benchmark may have files for several cases
        of = f" of {name}" if name not in ("", stored["benchmark"]) else ""
        sections.append(
            f"\n### `{stored['benchmark']}`{of} on {environment['device']}\n\n"
            f"{environment['cores']} cores; Python {environment['python']}, {versions}.\n\n{table}\n{picture}\n"
        )
    return "".join(sections)


def plain_table(stored: dict[str, Any]) -> str:
    """Cases and programs with their times, and the ratios of other programs' times to theirs."""
    lines = ["| case | program | milliseconds | other programs' times over it |", "|---|---|---|---|"]
    for row in stored["rows"]:
        time = f"{row['median'] * 1e3:.4g} ± {row['spread'] / 2 * 1e3:.2g}" if "median" in row else ""
        ratios = ", ".join(f"{name} {Ratio(**ratio)}" for name, ratio in row.get("ratios", {}).items())
        lines.append(f"| {row['case']} | {row['program']} | {time} | {ratios} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
