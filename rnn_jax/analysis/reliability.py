"""A reliability diagram: how often a classifier is right when it is so sure. Guo et al. 2017, arXiv:1706.04599."""

from pathlib import Path

from rnn_jax.analysis.figures import draws, save_figure
from rnn_jax.metrics import Calibration


@draws
def draw_reliability(calibration: Calibration, file: Path, title: str) -> None:
    """Draw accuracy against confidence, each bin with the number of its examples, into a .png file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1, label="as sure as right")
    axes.plot(calibration.confidence, calibration.accuracy, "o-", linewidth=1, label=f"ECE {calibration.error:.3f}")
    for x, y, count in zip(*calibration, strict=True):
        axes.annotate(str(count), (x, y), textcoords="offset points", xytext=(4, -10), fontsize="x-small")
    low = min(calibration.confidence.min(), calibration.accuracy.min())
    axes.set(title=title, xlabel="confidence", ylabel="accuracy", xlim=(low - 0.05, 1.02), ylim=(low - 0.05, 1.02))
    axes.legend(fontsize="small")
    save_figure(figure, file)
