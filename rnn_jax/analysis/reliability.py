"""A reliability diagram: how often a classifier is right when it is so sure. Guo et al. 2017, arXiv:1706.04599."""

from pathlib import Path

import numpy as np

from rnn_jax.analysis.figures import BLUE, GREY, draws, new_figure, save_figure
from rnn_jax.metrics import Calibration


@draws
def draw_reliability(calibration: Calibration, file: Path, title: str) -> None:
    """Draw accuracy against confidence above how many examples there are of each confidence, into a .png file."""
    confidence, accuracy, counts = (np.asarray(values) for values in calibration)
    figure = new_figure(4.6, width=5.0, title=title)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    low = min(confidence.min(), accuracy.min()) - 0.05
    axes.plot([low, 1], [low, 1], "--", color=GREY, linewidth=1, label="perfect calibration")
    axes.plot(confidence, accuracy, "o-", color=BLUE, label="a bin of predictions")
    axes.set(ylabel="accuracy", xlim=(low, 1.02), ylim=(low, 1.02))
    axes.set_title(f"expected calibration error {calibration.error:.3f}", loc="left")
    axes.legend(loc="upper left")
    below.bar(confidence, counts, width=0.6 * (1 - low) / max(10, len(counts)), color=BLUE)
    below.set(xlabel="confidence", ylabel="predictions", yscale="log", ylim=(0.5, None))
    save_figure(figure, file)
