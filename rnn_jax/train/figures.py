"""Figures of a run. matplotlib comes with the extra `experiments` and is imported when a figure is drawn."""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.analysis.figures import draws, save_figure


@draws
def draw_curves(records: list[dict[str, Any]], file: Path, *, title: str, unit: str, lines: dict[str, float]) -> None:
    """Training and validation loss against the update, with published or baseline figures as horizontal lines.

    Args:
        records: the run's metrics: dicts with `step` and `loss` or `validation_loss`.
        file: a .png to write.
        title: above the figure.
        unit: of the loss.
        lines: names and values of the horizontal lines.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for metric, marker in (("loss", ""), ("validation_loss", "o")):
        points = [(r["step"], r[metric]) for r in records if r.get(metric) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), label=metric.replace("_", " "), marker=marker, linewidth=1)
    for i, (name, value) in enumerate(lines.items()):
        axes.axhline(value, linestyle="--", linewidth=1, color=f"C{i + 2}", label=f"{name} {value:.3f}")
    axes.set(title=title, xlabel="update", ylabel=unit)
    axes.legend(fontsize="small")
    save_figure(figure, file)


@draws
def draw_alignment(weights: np.ndarray, pieces: tuple[list[str], list[str]], file: Path) -> None:
    """Where each piece of a target looked in its source, as in Bahdanau et al. 2014, figure 3.

    Args:
        weights: `[T, S]`, from 0 (white) to 1.
        pieces: the S of the source and the T of the target.
        file: a .png to write.
    """
    from matplotlib.figure import Figure

    source, target = pieces
    figure = Figure(figsize=(1.5 + 0.3 * len(source), 1.5 + 0.25 * len(target)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90)
    axes.set_yticks(range(len(target)), target)
    save_figure(figure, file)
