"""Figures of a run."""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.analysis.figures import (
    AMBER,
    BLUE,
    GREEN,
    HEAT,
    ORANGE,
    PINK,
    SKY,
    draws,
    label_lines,
    new_figure,
    save_figure,
)


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
    figure = new_figure(3.6, title=title)
    axes = figure.subplots()
    for metric, label, look in (
        ("loss", "training loss", {"color": SKY, "linewidth": 1}),
        ("validation_loss", "validation loss", {"color": BLUE, "marker": "o"}),
    ):
        points = [(r["step"], r[metric]) for r in records if r.get(metric) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, **look)
    for i, (name, value) in enumerate(lines.items()):
        color = (ORANGE, GREEN, PINK, AMBER)[i % 4]
        axes.axhline(value, linestyle="--", linewidth=1, color=color, label=f"{name} {value:.4g}")
    axes.set(xlabel="update", ylabel=unit)
    label_lines(axes)
    save_figure(figure, file)


@draws
def draw_alignment(weights: np.ndarray, pieces: tuple[list[str], list[str]], file: Path) -> None:
    """Where each piece of a target looked in its source, as in Bahdanau et al. 2014, figure 3.

    Args:
        weights: `[T, S]`, from 0 (white) to 1.
        pieces: the S of the source and the T of the target.
        file: a .png to write.
    """
    source, target = pieces
    figure = new_figure(1.8 + 0.2 * len(target), width=2.8 + 0.22 * len(source))
    axes = figure.subplots()
    image = axes.imshow(weights, cmap=HEAT, vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90)
    axes.set_yticks(range(len(target)), target)
    axes.set(xlabel="source", ylabel="target")
    figure.colorbar(image, label="attention")
    save_figure(figure, file)
