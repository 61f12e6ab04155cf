"""Figures of series: what was measured and predicted, the alarms, and the anomaly score of each row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.anomaly_detection.data import TimeSeries
from experiments.anomaly_detection.detector import Detection
from experiments.anomaly_detection.features import SeriesFeatures
from rnn_jax.analysis.figures import draws, save_figure


@draws
def draw_series(features: SeriesFeatures, detection: Detection, threshold: float, file: Path) -> None:
    """Draw a series over its anomaly score.

    Args:
        features: the series, with the labelled windows if there are any.
        detection: of all of its rows.
        threshold: the anomaly score from which on there is an alarm.
        file: a .png to write.
    """
    from matplotlib.figure import Figure

    series = features.series
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for axes in (above, below):
        _shade(axes, features)
    _plot(above, series, detection, threshold)
    above.plot(series.times, detection.prediction, linewidth=0.6, color="C0", label="predicted")
    above.fill_between(
        series.times, detection.low, detection.high, color="C0", alpha=0.2, linewidth=0, label="90 % interval"
    )
    above.set(title=series.name, ylabel="value")
    above.legend(fontsize="x-small", loc="upper left", ncols=3)
    below.plot(series.times, detection.anomaly_score, linewidth=0.8, color="C1")
    below.axhline(threshold, linestyle="--", linewidth=0.8, color="grey", label="threshold")
    below.set(ylabel="anomaly score", xlabel="time", ylim=(0, max(2.0, 1.5 * threshold)))
    save_figure(figure, file, dpi=80)


@draws
def draw_overview(
    features: Sequence[SeriesFeatures], detections: Sequence[Detection], threshold: float, file: Path
) -> None:
    """Draw the alarms in up to twelve series, evenly chosen out of all, one in each panel; arguments as above."""
    from matplotlib.figure import Figure

    chosen = np.unique(np.linspace(0, len(features) - 1, 12).astype(int)).tolist()
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(4.2 * columns, 2 * rows + 0.8), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(chosen) :]:
        axes.set_axis_off()
    for axes, i in zip(panels.flat, chosen, strict=False):
        _shade(axes, features[i])
        _plot(axes, features[i].series, detections[i], threshold)
        axes.set_title(features[i].series.name, fontsize="x-small")
        axes.tick_params(labelsize="xx-small")
        axes.set_xticks(features[i].series.times[[0, len(features[i].rows) // 2, -1]])
    labels = {
        label: line for axes in panels.flat for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=4, fontsize="small")
    figure.supylabel("value", fontsize="small")
    save_figure(figure, file, dpi=90)


def _shade(axes, features: SeriesFeatures) -> None:
    """Mark the training rows, and the labelled windows."""
    times = features.series.times
    axes.axvspan(
        times[0], times[features.training_rows - 1], color="grey", alpha=0.15, linewidth=0, label="training rows"
    )
    for i, (left, right) in enumerate(features.series.windows):
        label = "labelled window" if i == 0 else None
        axes.axvspan(times[left], times[right], color="C3", alpha=0.2, linewidth=0, label=label)


def _plot(axes, series: TimeSeries, detection: Detection, threshold: float) -> None:
    """What was measured, and the alarms."""
    alarms = np.flatnonzero(detection.anomaly_score >= threshold)
    known = series.values[np.isfinite(series.values)]
    margin = 0.1 * max(float(np.ptp(known)), 1e-9)
    axes.plot(series.times, series.values, linewidth=0.6, color="black", label="measured")
    axes.plot(series.times[alarms], series.values[alarms], "v", color="C1", label="alarm")
    axes.set_ylim(known.min() - margin, known.max() + margin)
