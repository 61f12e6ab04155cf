"""Figures of remaining lives: what a model says of engines cycle by cycle, and at the end of what is known of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.predictive_maintenance.data import Engine
from experiments.predictive_maintenance.model import Lives, last_lives


def draw_engines(engines: Sequence[Engine], lives: Sequence[Lives], cap: int, file: Path, title: str) -> None:
    """Draw the mean and the interval of 90 % against the cycle, with the true life, an engine in each panel.

    Args:
        engines: twelve or fewer.
        lives: of each, from `make_lives`.
        cap: cycles that the true life is cut off at.
        file: a .png to write.
        title: above the figure.
    """
    from matplotlib.figure import Figure

    columns = min(4, len(engines))
    rows = -(-len(engines) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.4 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in panels.flat[len(engines) :]:
        axes.set_axis_off()
    for axes, engine, of in zip(panels.flat, engines, lives, strict=False):
        cycles = np.arange(1, len(engine) + 1)
        axes.fill_between(cycles, *of.interval(cap), alpha=0.3, linewidth=0, label="90 % interval")
        axes.plot(cycles, of.mean, linewidth=1, label="predicted")
        axes.plot(cycles, np.minimum(engine.life, cap), "--", color="black", linewidth=1, label=f"true, at most {cap}")
        axes.set_title(f"engine {engine.number}", fontsize="small")
    for axes in panels[:, 0]:
        axes.set_ylabel("cycles left")
    for axes in panels[-1]:
        axes.set_xlabel("cycle")
    panels[0, 0].legend(fontsize="x-small", loc="lower left")
    figure.suptitle(title)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def draw_last_cycles(engines: Sequence[Engine], lives: Sequence[Lives], cap: int, file: Path, title: str) -> None:
    """Draw what a model says after the last known cycle of each engine, engines sorted by the true life; see above."""
    from matplotlib.figure import Figure

    true = np.minimum([engine.life[-1] for engine in engines], cap)
    order = np.argsort(true, kind="stable")
    mean, low, high = (x[order] for x in last_lives(lives, cap))
    places = np.arange(len(engines))
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    axes.vlines(places, low, high, alpha=0.4, linewidth=2, label="90 % interval")
    axes.plot(places, mean, ".", label="predicted")
    axes.plot(places, true[order], color="black", linewidth=1, label=f"true, at most {cap}")
    axes.set(title=title, xlabel="test engines, the one that fails first at the left", ylabel="cycles left")
    axes.legend(fontsize="small")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
