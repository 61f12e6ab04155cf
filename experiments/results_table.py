"""Results as Markdown: the best model of each task, or all models with what is to be said of them.

Beside a model stand the transformer of its size, the best of what is published, and the best of the simple baselines
of its own runs. Bold in a row is the best value, and what cannot be told from it: that lies in its interval, or whose
own interval holds it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from experiments.published import goal, remarks
from experiments.standing import Standing, half_width, is_transformer, number_text, standings, value_text
from rnn_jax.studies.markup import markdown_table, markdown_text

HEADS = ("task", "metric", "model", "here", "transformer", "best published", "best baseline")


def overview_text(stored: Iterable[dict[str, Any]]) -> str:
    """A row for each task, with its best model that is not a transformer.

    Args:
        stored: what `experiments.report collect` has written, of each experiment.
    """
    return markdown_table(HEADS, [_cells(task, _best(task), sources=False) for task in _tasks(stored)])


def table_text(stored: Iterable[dict[str, Any]]) -> str:
    """A row for each model that is not a transformer, where a baseline is ahead or level, goals missed, and remarks.

    Args:
        stored: what `experiments.report collect` has written, of each experiment.
    """
    tasks = _tasks(stored)
    every = [(task, row) for task in tasks for row in task.rows if not is_transformer(row)]
    lines = [markdown_table(HEADS, [_cells(task, row) for task, row in every])]
    behind, level = [], []
    for task, row in every:
        for name, value in _alone(task, row).baselines.items():
            line = "- " + markdown_text(f"{task.name}, {row['model']}: {name} {number_text(value)}")
            if task.best((value, row["mean"])) != row["mean"]:
                behind.append(line)
            elif _level(value, None, row["mean"], _half(row)):
                level.append(line)
    missed = [f"- {text}" for task in tasks if (text := _missed(task))]
    for head, found in (
        ("Behind a simple baseline of the same run:", behind),
        ("Level, by the interval over seeds, with a simple baseline of the same run:", level),
        ("Behind their goals, some of which were set after earlier results:", missed),
    ):
        lines += ["", head, "", *found] if found else []
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


def _missed(task: Standing) -> str:
    """By how much the best model misses the goal of a task, and what was tried; empty where it does not."""
    aim, best = goal(task.name), _best(task)
    if not aim or task.best((aim[0], best["mean"])) == best["mean"]:
        return ""
    return markdown_text(f"{task.name}, {best['model']}: {value_text(best)}, goal {aim[0]:g}. {aim[1]}".strip())


def _best(task: Standing) -> dict[str, Any]:
    return next(row for row in task.ranked if not is_transformer(row))


def _alone(task: Standing, row: dict[str, Any]) -> Standing:
    """The task as if this model were the only one: baselines are those of its own runs."""
    return Standing(task.experiment, task.task, [row])


def _cells(task: Standing, row: dict[str, Any], *, sources: bool = True) -> list[str]:
    alone, beside = _alone(task, row), transformer_of(row, task.rows)
    values = [(one["mean"], _half(one)) for one in (row, beside) if one] + [(value, None) for value in alone.others]
    best = alone.best([value for value, _ in values])
    assert best is not None  # the model's own value is among them
    half = max((half or 0.0 for value, half in values if value == best), default=0.0)
    simple = {name: value for name, value in alone.baselines.items() if value == alone.best(alone.baselines.values())}

    def bold(text: str, value: float, own: float | None = None) -> str:
        return f"**{text}**" if value == best or _level(value, own, best, half) else text

    return [
        markdown_text(task.name),
        markdown_text(f"{row['metric']} {'↑' if row['higher_is_better'] else '↓'}"),
        markdown_text(row["model"]),
        bold(value_text(row), row["mean"], _half(row)),
        bold(value_text(beside), beside["mean"], _half(beside)) if beside else "",
        _best_published(alone, bold, sources),
        ", ".join(bold(markdown_text(f"{name} {number_text(value)}"), value) for name, value in simple.items()),
    ]


def _half(row: dict[str, Any]) -> float | None:
    return half_width(row["std"], row["n"])


def _level(value: float, half: float | None, other: float, other_half: float | None) -> bool:
    """Whether one of two values lies in the interval of the other; one seed and others' values have none."""
    return abs(value - other) <= max(half or 0.0, other_half or 0.0)


def _best_published(standing: Standing, bold: Callable[[str, float], str], sources: bool) -> str:
    """The best of what is published, all that are level by name, and where it stands."""
    best = [one for one in standing.published if one["value"] == standing.published[0]["value"]]
    named = ", ".join(bold(markdown_text(f"{one['who']} {one['value']}"), one["value"]) for one in best)
    places = "; ".join(sorted({one["source"] for one in best})) if sources else ""
    return named + (f" ({markdown_text(places)})" if places else "")
