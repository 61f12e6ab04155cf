"""A study as figures: the values of all seeds with intervals, along training, and along a field that is a number."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.analysis.figures import draws, save_figure
from rnn_jax.studies import statistics
from rnn_jax.studies.crossings import lines_along
from rnn_jax.studies.tables import cell_rows, metric, values

Records = Sequence[Mapping[str, Any]]


def draw_study(
    study: Mapping[str, Any], records: Mapping[str, Sequence[Records]], seconds: Mapping[str, float], folder: Path
) -> None:
    """Draw values.png; curves.png if anything was evaluated more than once; FIELD.png of fields that are numbers.

    Args:
        study: what study.json holds.
        records: of each cell, by its name, the metrics of each run.
        seconds: of each cell, by its name, what a run took.
        folder: of the figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw_values(study, folder / "values.png")
    draw_validation(records, folder / "curves.png", study["question"])
    for field in {name: 0 for cell in study["cells"] for name in cell["fields"]}:
        draw_field(study, field, seconds, folder / f"{field}.png")


@draws
def draw_values(study: Mapping[str, Any], file: Path) -> None:
    """A line for each cell: its seeds as points, the IQM with its 95 % interval; grey is the reference's interval."""
    from matplotlib.figure import Figure

    rows = cell_rows(study)
    figure = Figure(figsize=(7, 1.4 + 0.35 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, (row, cell) in enumerate(zip(rows, study["cells"], strict=True)):
        points, (low, high) = list(values(cell).values()), row["iqm interval"]
        axes.plot(points, [place] * len(points), ".", color="grey", markersize=5)
        axes.plot(row["iqm"], place, "D", color=f"C{place % 10}")
        if np.isfinite(low):
            axes.plot([low, high], [place, place], color=f"C{place % 10}", linewidth=2)
            if row["name"] == study["reference"]:
                axes.axvspan(low, high, color="grey", alpha=0.15, linewidth=0)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.invert_yaxis()
    axes.set(xlabel=metric(study))
    figure.suptitle(_wrapped(study["question"]), fontsize="medium")
    save_figure(figure, file)


@draws
def draw_validation(records: Mapping[str, Sequence[Records]], file: Path, title: str) -> None:
    """The first validation metric of each cell along training: the IQM over its seeds and its 95 % interval."""
    from matplotlib.figure import Figure

    names = [key for runs in records.values() for run in runs for record in run for key in record]
    name = next((key for key in names if key.startswith("validation")), "")
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for label, runs in records.items():
        found: dict[int, list[float]] = {}
        for run in runs:
            for record in run:
                if record.get(name) is not None:
                    found.setdefault(record["step"], []).append(record[name])
        steps = sorted(found)
        if len(steps) > 1:
            (line,) = axes.plot(steps, [statistics.iqm(found[s]) for s in steps], label=_label(label), linewidth=1)
            band = np.array([statistics.bootstrap_interval(found[s], "iqm", resamples=1000) for s in steps])
            axes.fill_between(steps, *band.T, color=line.get_color(), alpha=0.2, linewidth=0)
    if not axes.lines:
        return
    axes.set(title=_wrapped(title), xlabel="update", ylabel=name.replace("_", " "))
    axes.legend(fontsize="small")
    save_figure(figure, file)


@draws
def draw_field(study: Mapping[str, Any], field: str, seconds: Mapping[str, float], file: Path) -> None:
    """Values and seconds along a field, a line for each choice of the others that has three numbers of it or more."""
    from matplotlib.figure import Figure

    rows_of = {row["name"]: row for row in cell_rows(study) if np.isfinite(row["iqm"])}
    lines = lines_along(study, field, rows_of)
    if not lines:
        return
    figure = Figure(figsize=(9, 4), layout="constrained")
    quality, cost = figure.subplots(1, 2)
    for others, found in lines.items():
        places, names = zip(*found, strict=True)
        rows = [rows_of[name] for name in names]
        (line,) = quality.plot(places, [row["iqm"] for row in rows], ".-", label=_label(others or study["experiment"]))
        bands = np.array([row["iqm interval"] for row in rows], float)
        quality.fill_between(places, *bands.T, color=line.get_color(), alpha=0.2, linewidth=0)
        cost.plot(places, [seconds[name] for name in names], ".-", color=line.get_color())
    scale = "log" if all(found[0][0] > 0 for found in lines.values()) else "linear"
    quality.set(xlabel=field.replace("_", " "), ylabel=metric(study), xscale=scale)
    cost.set(xlabel=field.replace("_", " "), ylabel="seconds a run", xscale=scale, yscale="log")
    ticks = sorted({place for found in lines.values() for place, _ in found})
    for axes in (quality, cost):
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    quality.legend(fontsize="small")
    figure.suptitle(_wrapped(study["question"]), fontsize="medium")
    save_figure(figure, file)


def _label(name: str) -> str:
    """A name for a legend, which leaves out what begins with an underscore."""
    return f" {name}" if name.startswith("_") else name


def _wrapped(title: str) -> str:
    return textwrap.fill(title, 70)
