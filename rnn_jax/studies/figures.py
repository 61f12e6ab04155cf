"""A study as figures: the values of all seeds with intervals, along training, and along a field that is a number."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.analysis.figures import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    draw_band,
    draws,
    facets,
    label_lines,
    new_figure,
    save_figure,
    shared_legend,
    wrapped,
)
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
    rows = cell_rows(study)
    figure = new_figure(1.4 + 0.27 * len(rows), title=study["question"])
    axes = figure.subplots()
    for place, (row, cell) in enumerate(zip(rows, study["cells"], strict=True)):
        first, color = place == 0, INK if row["name"] == study["reference"] else BLUE
        low, high = row["iqm interval"]
        if np.isfinite(low):
            axes.hlines(place, low, high, color=color, alpha=0.45, linewidth=5, label=_once("its 95 % interval", first))
            if row["name"] == study["reference"]:
                axes.axvspan(low, high, color=GREY, alpha=0.2, linewidth=0, label="that of the reference (black)")
        points = list(values(cell).values())
        axes.plot(points, [place] * len(points), ".", color=ORANGE, markersize=5, label=_once("a seed", first))
        axes.plot(row["iqm"], place, "D", color=color, label=_once("mean of the middle half (IQM)", first))
    axes.set_yticks(range(len(rows)), [wrapped(row["name"], 40) for row in rows])
    axes.set(xlabel=wrapped(metric(study), 60), ylim=(len(rows) - 0.4, -0.6))
    shared_legend(figure, [axes], 2)
    save_figure(figure, file)


@draws
def draw_validation(records: Mapping[str, Sequence[Records]], file: Path, title: str) -> None:
    """The first validation metric of each cell along training: the IQM over its seeds and its 95 % interval.

    A panel for each cell, in which the others are grey; nothing where nothing was evaluated more than once.
    """
    names = [key for runs in records.values() for run in runs for record in run for key in record]
    name = next((key for key in names if key.startswith("validation")), "")
    curves = {label: found for label, runs in records.items() if (found := _along_training(runs, name))}
    if not any(len(found) > 1 for found in curves.values()):
        return
    columns = 4 if len(curves) > 9 else 3
    metric_name = name.replace("_", " ")
    title = f"{title}\nIQM over seeds with its 95 % interval; grey: the others"
    figure, panels = facets(
        len(curves), 1.6, columns=columns, title=title, x="update", y=metric_name, sharex=True, sharey=True
    )
    middles = {label: (list(f), [statistics.iqm(f[step]) for step in f]) for label, f in curves.items()}
    for axes, (label, found) in zip(panels, curves.items(), strict=True):
        for other, (steps, middle) in middles.items():
            if other != label:
                axes.plot(steps, middle, "-", color="#C8C8C8", linewidth=0.8)
        band = [statistics.bootstrap_interval(values, "iqm", resamples=1000) for values in found.values()]
        draw_band(axes, list(found), *np.array(band).T)
        axes.plot(*middles[label], "-", color=BLUE)
        axes.set_title(wrapped(label, 76 // columns), fontsize=8)
        axes.locator_params(axis="x", nbins=4, integer=True)
    save_figure(figure, file)


@draws
def draw_field(study: Mapping[str, Any], field: str, seconds: Mapping[str, float], file: Path) -> None:
    """Values and seconds along a field, a panel for each choice of the others that has three numbers of it or more."""
    rows_of = {row["name"]: row for row in cell_rows(study) if np.isfinite(row["iqm"])}
    lines = lines_along(study, field, rows_of)
    if not lines:
        return
    columns = min(4, len(lines))
    rows = -(-len(lines) // columns)
    figure = new_figure(1.8 * rows + 3.0, title=study["question"])
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[1.8] * rows + [2.2])
    panels = [figure.add_subplot(grid[0, 0])]
    panels += [
        figure.add_subplot(grid[i // columns, i % columns], sharex=panels[0], sharey=panels[0])
        for i in range(1, len(lines))
    ]
    cost = figure.add_subplot(grid[rows, :])
    for i, (others, found) in enumerate(lines.items()):
        places, names = zip(*found, strict=True)
        middle = [rows_of[name]["iqm"] for name in names]
        band = np.array([rows_of[name]["iqm interval"] for name in names], float)
        label, color = _label(others or study["experiment"]), f"C{i}"
        draw_band(panels[i], places, *band.T, color=color)
        panels[i].plot(places, middle, marker="o", color=color)
        panels[i].set_title(wrapped(label, 90 // columns), fontsize=8)
        cost.plot(places, [seconds[name] for name in names], marker="o", color=color, label=label)
    scale = "log" if all(found[0][0] > 0 for found in lines.values()) else "linear"
    ticks = sorted({place for found in lines.values() for place, _ in found})
    for axes in (*panels, cost):
        axes.set_xscale(scale)
        axes.set_xticks(_apart(ticks, scale, 8 if axes is cost else 4), minor=False)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    for i, axes in enumerate(panels):
        axes.tick_params(axis="y", labelleft=i % columns == 0)
        axes.set_xlabel(field.replace("_", " ") if i + columns >= len(panels) else "")
    panels[(rows - 1) // 2 * columns].set_ylabel(wrapped(f"{metric(study)}, IQM and 95 % interval", 28))
    cost.set(xlabel=field.replace("_", " "), ylabel="seconds a run", yscale="log")
    label_lines(cost)
    save_figure(figure, file)


def _apart(ticks: Sequence[int | float], scale: str, count: int) -> list[int | float]:
    """Some of the ticks, `count` at most, as far from each other on the scale as they may be."""
    places = np.log(ticks) if scale == "log" else np.asarray(ticks, float)
    least, chosen = (places[-1] - places[0]) / count, [0]
    for i in range(1, len(ticks)):
        if places[i] - places[chosen[-1]] >= least * 0.999:
            chosen.append(i)
    return [ticks[i] for i in chosen]


def _along_training(runs: Sequence[Records], name: str) -> dict[int, list[float]]:
    """The values of a metric over all runs, by the step."""
    found: dict[int, list[float]] = {}
    for record in (record for run in runs for record in run if record.get(name) is not None):
        found.setdefault(record["step"], []).append(record[name])
    return dict(sorted(found.items()))


def _label(name: str) -> str:
    """A name for a legend, which leaves out what begins with an underscore."""
    return f" {name}" if name.startswith("_") else name


def _once(label: str, first: bool) -> str | None:
    """A label of the first one that is drawn, of all in a legend."""
    return label if first else None
