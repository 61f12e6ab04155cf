"""Figures of the RUL: predictions for engines cycle by cycle, and at the end of what is known of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.predictive_maintenance.data import Engine
from experiments.predictive_maintenance.model import RULPrediction, final_predictions
from rnn_jax.analysis.figures import draws, save_figure


@draws
def draw_engines(
    engines: Sequence[Engine], predictions: Sequence[RULPrediction], cap: int, file: Path, title: str
) -> None:
    """Draw the mean and the interval of 90 % against the cycle, with the true RUL, an engine in each panel.

    Args:
        engines: twelve or fewer.
        predictions: for each, from `make_predict`.
        cap: the highest RUL, in cycles.
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
    for axes, engine, prediction in zip(panels.flat, engines, predictions, strict=False):
        cycles = np.arange(1, len(engine) + 1)
        axes.fill_between(cycles, *prediction.interval(cap), alpha=0.3, linewidth=0, label="90 % interval")
        axes.plot(cycles, prediction.mean, linewidth=1, label="predicted")
        axes.plot(cycles, np.minimum(engine.rul, cap), "--", color="black", linewidth=1, label=f"true, at most {cap}")
        axes.set_title(f"engine {engine.number}", fontsize="small")
    for axes in panels[:, 0]:
        axes.set_ylabel("RUL in cycles")
    for axes in panels[-1]:
        axes.set_xlabel("cycle")
    panels[0, 0].legend(fontsize="x-small", loc="lower left")
    figure.suptitle(title)
    save_figure(figure, file, dpi=110)


@draws
def draw_final_predictions(
    engines: Sequence[Engine], predictions: Sequence[RULPrediction], cap: int, file: Path, title: str
) -> None:
    """Draw the prediction after the last known cycle of each engine, engines sorted by the true RUL; see above."""
    from matplotlib.figure import Figure

    target = np.minimum([engine.rul[-1] for engine in engines], cap)
    order = np.argsort(target, kind="stable")
    mean, low, high = (x[order] for x in final_predictions(predictions, cap))
    places = np.arange(len(engines))
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    axes.vlines(places, low, high, alpha=0.4, linewidth=2, label="90 % interval")
    axes.plot(places, mean, ".", label="predicted")
    axes.plot(places, target[order], color="black", linewidth=1, label=f"true, at most {cap}")
    axes.set(title=title, xlabel="test engines, the one that fails first at the left", ylabel="RUL in cycles")
    axes.legend(fontsize="small")
    save_figure(figure, file)
