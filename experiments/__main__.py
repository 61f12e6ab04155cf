"""All experiments, each with its question and its best committed results: `python -m experiments`."""

import ast
import json
import statistics
import textwrap

from experiments import imported
from experiments.registry import FOLDER, experiment_names
from experiments.standing import standings


def docstring_of(name: str) -> str:
    """An experiment's page; nothing is imported."""
    return ast.get_docstring(ast.parse((FOLDER / name / "__init__.py").read_text("utf-8"))) or ""


def question_of(name: str) -> str:
    """The first paragraph of an experiment's page."""
    return docstring_of(name).split("\n\n")[0].replace("\n", " ")


def results_of(name: str) -> list[str]:
    """The best model of each task that has a committed result, with the time of one training."""
    file = FOLDER / "results" / f"{name}.json"
    rows = json.loads(file.read_text())["results"] if file.exists() else []
    bests = {standing.task: standing.ranked[0] for standing in standings(name, rows)}
    return [
        f"{task}: {one['metric']} {one['mean']:.4g} by {one['model']}, "
        f"{duration(statistics.median(one['seconds']))} on {one['device']}"
        for task, one in bests.items()
    ]


def duration(seconds: float) -> str:
    """Seconds in words."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def main() -> None:
    """Print them."""
    for name in experiment_names():
        print(f"{name}\n{textwrap.fill(question_of(name), 110, initial_indent='  ', subsequent_indent='  ')}")
        print("".join(f"    {line}\n" for line in results_of(name)), end="")
    print("\npython -m experiments.NAME --help lists the options of one; without options it trains.")


if __name__ == "__main__":
    imported()
    main()
