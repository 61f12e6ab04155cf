"""Figures of series: what was measured and predicted, the alarms, and the anomaly score of each row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.anomaly_detection.data import TimeSeries
from experiments.anomaly_detection.detector import Detection
from experiments.anomaly_detection.features import SeriesFeatures
from rnn_jax.analysis.figures import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PINK,
    date_axis,
    draw_band,
    draws,
    facets,
    new_figure,
    save_figure,
    shared_legend,
    wrapped,
)


@draws
def draw_series(features: SeriesFeatures, detection: Detection, threshold: float, file: Path) -> None:
    """Draw a series over its anomaly score.

    Args:
        features: the series, with the labelled windows if there are any.
        detection: of all of its rows.
        threshold: the anomaly score from which on there is an alarm.
        file: a .png to write.
    """
    series = features.series
    figure = new_figure(4.2, width=9.0, title=series.name)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for axes in (above, below):
        _shade(axes, features)
    _plot(above, series, detection, threshold)
    above.plot(series.times, detection.prediction, linewidth=0.6, color=BLUE, label="predicted")
    draw_band(above, series.times, detection.low, detection.high, label="90 % interval")
    above.set(ylabel="value")
    below.plot(series.times, detection.anomaly_score, linewidth=0.8, color=ORANGE)
    below.axhline(threshold, linestyle="--", linewidth=0.8, color=GREY, label="threshold of an alarm")
    below.set(ylabel="anomaly score", xlabel="time", ylim=(0, max(2.0, 1.5 * threshold)))
    date_axis(below, series.times, ticks=8)
    shared_legend(figure, (above, below))
    save_figure(figure, file, dpi=100)


@draws
def draw_overview(
    features: Sequence[SeriesFeatures], detections: Sequence[Detection], threshold: float, file: Path
) -> None:
    """Draw the alarms in up to twelve series, evenly chosen out of all, one in each panel; arguments as above."""
    chosen = np.unique(np.linspace(0, len(features) - 1, 12).astype(int)).tolist()
    figure, panels = facets(len(chosen), 1.5, width=9.0, y="value")
    for axes, i in zip(panels, chosen, strict=True):
        _shade(axes, features[i])
        _plot(axes, features[i].series, detections[i], threshold)
        axes.set_title(wrapped(features[i].series.name, 44), fontsize=7.5)
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="y", nbins=4)
        date_axis(axes, features[i].series.times)
        axes.xaxis.get_offset_text().set_fontsize(7)
    shared_legend(figure, panels)
    save_figure(figure, file, dpi=110)


def _shade(axes, features: SeriesFeatures) -> None:
    """Mark the training rows, and the labelled windows."""
    times = features.series.times
    axes.axvspan(
        times[0], times[features.training_rows - 1], color=GREY, alpha=0.25, linewidth=0, label="training rows"
    )
    for i, (left, right) in enumerate(features.series.windows):
        label = "labelled window" if i == 0 else None
        axes.axvspan(times[left], times[right], color=PINK, alpha=0.35, linewidth=0, label=label)


def _plot(axes, series: TimeSeries, detection: Detection, threshold: float) -> None:
    """What was measured, and the alarms."""
    alarms = np.flatnonzero(detection.anomaly_score >= threshold)
    known = series.values[np.isfinite(series.values)]
    margin = 0.1 * max(float(np.ptp(known)), 1e-9)
    axes.plot(series.times, series.values, linewidth=0.6, color=INK, label="measured")
    axes.plot(series.times[alarms], series.values[alarms], "v", color=ORANGE, label="alarm")
    axes.set_ylim(known.min() - margin, known.max() + margin)
