"""Figures of the RUL: predictions for engines cycle by cycle, and at the end of what is known of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.predictive_maintenance.data import Engine
from experiments.predictive_maintenance.model import RULPrediction, final_predictions
from rnn_jax.analysis.figures import BLUE, INK, draw_band, draws, facets, new_figure, save_figure, shared_legend


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
    figure, panels = facets(len(engines), 1.7, title=title, x="cycle", y="RUL in cycles", sharey=True)
    for axes, engine, prediction in zip(panels, engines, predictions, strict=False):
        cycles = np.arange(1, len(engine) + 1)
        draw_band(axes, cycles, *prediction.interval(cap), label="90 % interval")
        axes.plot(cycles, prediction.mean, color=BLUE, label="predicted")
        axes.plot(cycles, np.minimum(engine.rul, cap), "--", color=INK, linewidth=1, label=f"true, at most {cap}")
        axes.set_title(f"engine {engine.number}")
    shared_legend(figure, panels)
    save_figure(figure, file)


@draws
def draw_final_predictions(
    engines: Sequence[Engine], predictions: Sequence[RULPrediction], cap: int, file: Path, title: str
) -> None:
    """Draw the prediction after the last known cycle of each engine, engines sorted by the true RUL; see above."""
    target = np.minimum([engine.rul[-1] for engine in engines], cap)
    order = np.argsort(target, kind="stable")
    mean, low, high = (x[order] for x in final_predictions(predictions, cap))
    places = np.arange(len(engines))
    figure = new_figure(3.8, title=title)
    axes = figure.subplots()
    axes.vlines(places, low, high, color=BLUE, alpha=0.3, linewidth=2, label="90 % interval")
    axes.plot(places, mean, "o", color=BLUE, markersize=3, label="predicted")
    axes.plot(places, target[order], color=INK, linewidth=1, label=f"true, at most {cap}")
    axes.set(xlabel="test engines, the one that fails first at the left", ylabel="RUL in cycles")
    axes.grid(axis="x", visible=False)
    shared_legend(figure, [axes])
    save_figure(figure, file)
