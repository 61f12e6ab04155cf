"""Results as Markdown: the best model of each task, or all models with what is to be said of them.

Beside a model stand the transformer of its size, the best of what is published, and the best of the simple baselines
of its own runs; what is best in a row is bold.
"""

from collections.abc import Iterable
from typing import Any

from experiments.published import remarks
from experiments.standing import Standing, is_transformer, number_text, standings, value_text
from rnn_jax.studies.markup import markdown_table, markdown_text

HEADS = ("task", "metric", "model", "here", "transformer", "best published", "best baseline")


def overview_text(stored: Iterable[dict[str, Any]]) -> str:
    """A row for each task, with its best model that is not a transformer.

    Args:
        stored: what `experiments.report collect` has written, of each experiment.
    """
    best = [(task, next(row for row in task.ranked if not is_transformer(row))) for task in _tasks(stored)]
    return markdown_table(HEADS, [_cells(task, row, sources=False) for task, row in best])


def table_text(stored: Iterable[dict[str, Any]]) -> str:
    """A row for each model that is not a transformer, which of them a baseline is ahead of, and remarks on tasks.

    Args:
        stored: what `experiments.report collect` has written, of each experiment.
    """
    tasks = _tasks(stored)
    every = [(task, row) for task in tasks for row in task.rows if not is_transformer(row)]
    lines = [markdown_table(HEADS, [_cells(task, row) for task, row in every])]
    ahead = [
        f"- {markdown_text(task.name)}, {markdown_text(row['model'])}: {markdown_text(f'{name} {number_text(value)}')}"
        for task, row in every
        for name, value in _alone(task, row).baselines.items()
        if task.best((value, row["mean"])) != row["mean"]
    ]
    if ahead:
        lines += ["", "Not ahead of a simple baseline of the same run:", "", *ahead]
    said: dict[str, list[str]] = {}  # tasks by what is to be said of them
    for task in tasks:
        said.setdefault(markdown_text(" ".join(remarks(task.name))), []).append(markdown_text(task.name))
    if notes := [f"- {', '.join(names)}: {text}" for text, names in said.items() if text]:
        lines += ["", "To be read with:", "", *notes]
    return "\n".join(lines)


def transformer_of(row: dict[str, Any], rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The result of the transformer that is as large as the model of a row, within a tenth, on the same task.

    Of several, that of which the fewest settings differ.
    """
    found = [one for one in rows if is_transformer(one) and one["task"] == row["task"]]
    found = [one for one in found if abs(one["params"] - row["params"]) <= 0.1 * row["params"]]

    def differences(one: dict[str, Any]) -> int:
        fields = one["config"].keys() | row["config"].keys()
        return sum(one["config"].get(field) != row["config"].get(field) for field in fields)

    return min(found, key=differences, default=None)


def _tasks(stored: Iterable[dict[str, Any]]) -> list[Standing]:
    return [task for one in stored for task in standings(one["experiment"], one["results"])]


def _alone(task: Standing, row: dict[str, Any]) -> Standing:
    """The task as if this model were the only one: baselines are those of its own runs."""
    return Standing(task.experiment, task.task, [row])


def _cells(task: Standing, row: dict[str, Any], *, sources: bool = True) -> list[str]:
    alone, beside = _alone(task, row), transformer_of(row, task.rows)
    top = alone.best([one["mean"] for one in (row, beside) if one] + alone.others)
    simple = {name: value for name, value in alone.baselines.items() if value == alone.best(alone.baselines.values())}
    return [
        markdown_text(task.name),
        markdown_text(f"{row['metric']} {'↑' if row['higher_is_better'] else '↓'}"),
        markdown_text(row["model"]),
        _bold(value_text(row), row["mean"] == top),
        _bold(value_text(beside), beside["mean"] == top) if beside else "",
        _best_published(alone, top, sources),
        ", ".join(_bold(markdown_text(f"{name} {number_text(value)}"), value == top) for name, value in simple.items()),
    ]


def _best_published(standing: Standing, top: float | None, sources: bool) -> str:
    """The best of what is published, all that are level by name, and where it stands."""
    best = [one for one in standing.published if one["value"] == standing.published[0]["value"]]
    named = ", ".join(_bold(markdown_text(f"{one['who']} {one['value']}"), one["value"] == top) for one in best)
    places = "; ".join(sorted({one["source"] for one in best})) if sources else ""
    return named + (f" ({markdown_text(places)})" if places else "")


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best else text
