"""The fold of a task: its models, what they are compared with, the commands, figures and texts of their first runs."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments.published import remarks
from experiments.report_page.captions import run_caption, text_caption
from experiments.report_page.elements import (
    command,
    copied,
    escaped,
    figure,
    figures,
    fold,
    is_inside,
    table,
)
from experiments.report_page.overview import link_name, marked
from experiments.standing import FURTHER, Standing, device_text, further_rows, is_transformer, number_text, spread_text

MODELS = ("model", "score", "seeds", "parameters", "seconds a run", "device")
OTHERS = ("compared with", "score", "source")

Files = Callable[[dict[str, Any]], tuple[Path, str, list[tuple[str, Path]]]]
"""From a row to the folder of its figures and texts, where copies go, and the files: each with its kind."""


def task_fold(task: Standing, prefix: str, files: Files, folder: Path, badge: str = "") -> str:
    """Everything about a task.

    Args:
        task: which.
        prefix: of its name in links.
        files: finds what its runs have left.
        folder: of the page.
        badge: whose it is.
    """
    best = task.ranked[0]
    top = task.best([row["mean"] for row in task.rows] + task.others)
    way = "higher is better" if task.higher_is_better else "lower is better"
    parts = [
        f"<p>{escaped(task.metric)}, {way}.</p>\n",
        *(f"<p>{escaped(remark)}</p>\n" for remark in remarks(task.name)),
        table(MODELS, ([*model_cells(row, row["mean"] == top)] for row in task.ranked)),
        compared(task, top),
        further(task),
        commands(task.ranked),
        *examples(task.ranked, files, folder),
    ]
    note = f"{badge}{escaped(best['model'])}: {escaped(spread_text(best))} {escaped(task.metric)}"
    return fold(link_name(prefix, task), escaped(task.task), note, "".join(parts), "task")


def model_cells(row: dict[str, Any], best: bool) -> list[str]:
    """A model of a task, as HTML."""
    names = "".join(f' <small class="note">{escaped(name)}</small>' for name in row.get("names", ()))
    kind = ' <small class="note">for comparison, of equal size</small>' if is_transformer(row) else ""
    return [
        escaped(row["model"]) + kind + names,
        marked(spread_text(row), best),
        str(row["n"]),
        f"{row['params']:,}",
        f"{sum(row['seconds']) / len(row['seconds']):,.0f}",
        escaped(device_text(row)),
    ]


def compared(task: Standing, top: float | None) -> str:
    """All that is published, then all baselines."""
    rows = [
        [escaped(one["who"]), marked(str(one["value"]), one["value"] == top), escaped(one["source"])]
        for one in task.published
    ]
    rows += [
        [escaped(name), marked(number_text(value), value == top), "baseline, of the same runs"]
        for name, value in task.baselines.items()
    ]
    return table(OTHERS, rows) if rows else "<p>Nothing to be compared with.</p>\n"


def further(task: Standing) -> str:
    """What else the runs of each model were scored by."""
    rows = [list(map(escaped, row)) for row in further_rows(task.ranked)]
    return table(FURTHER, rows) if rows else ""


def commands(rows: Sequence[dict[str, Any]]) -> str:
    """How each model is trained again."""
    if len(rows) == 1:
        return f"<h4>Command</h4>\n{command(rows[0]['command'])}"
    every = "".join(f"<dt>{escaped(row['model'])}</dt><dd>{command(row['command'])}</dd>\n" for row in rows)
    return f"<h4>Commands</h4>\n<dl>{every}</dl>\n"


def examples(rows: Iterable[dict[str, Any]], files: Files, folder: Path) -> list[str]:
    """The figures and the texts that the first run of each model has left."""
    pictures, texts = [], []
    for row in rows:
        source, place, found = files(row)
        for kind, file in found:
            if not is_inside(file, source):
                continue
            if file.suffix == ".txt":
                said = f"<pre>{escaped(file.read_text('utf-8', errors='replace'))}</pre>\n"
                texts.append(fold("", text_caption(kind), escaped(row["model"]), said))
            else:
                address = copied(file, source, folder, place)
                pictures.append(figure(address, run_caption(kind), row["model"]))
    return ["<h4>Figures</h4>\n" * bool(pictures), figures(pictures), *texts]
