"""How good detections are: the benchmark's scores where anomalies are labelled, and alarms in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.anomaly_detection.baselines import windowed_gaussian
from experiments.anomaly_detection.config import AnomalyScoreConfig
from experiments.anomaly_detection.detector import ALARM, Detection, alarm_line, score_all
from experiments.anomaly_detection.features import SeriesFeatures
from experiments.anomaly_detection.nab_score import PROFILES, NabScore, Profile, ScoredSeries, nab_score, probationary

STANDARD = PROFILES["standard"]


def detection_result(
    config: AnomalyScoreConfig, features: Sequence[SeriesFeatures], detections: Sequence[Detection]
) -> dict[str, Any]:
    """The score of detections, for `result.json`: the benchmark's where windows are labelled, else the error.

    The error is the mean absolute one of the predictions of a series after its training rows, over that of the newest
    value that they know; the median over all series.

    `standard, other half` is the score of every second series with the threshold that is best for the others.
    `standard, alarms from 1 on` takes no labels for a threshold.
    """
    error = float(np.median([relative_error(*of) for of in zip(features, detections, strict=True)]))
    series = [one.series for one in features]
    if not any(one.windows for one in series):
        alarms = {
            f"alarms, {one.name}": int((detection.anomaly_score >= ALARM).sum())
            for one, detection in zip(series, detections, strict=True)
        }
        return {"metric": "error / error of the last known value", "value": error, "higher_is_better": False,
                "baseline": {"last known value": 1.0}, "scores": {"threshold": ALARM, **alarms}}  # fmt: skip

    def score(anomaly_scores: list[np.ndarray], part: slice, profile: Profile, threshold: float | None) -> NabScore:
        scored = [ScoredSeries(scores, one.windows) for scores, one in zip(anomaly_scores, series, strict=True)]
        return nab_score(scored[part], profile, threshold)

    here, whole = [detection.anomaly_score for detection in detections], slice(None)
    of_range = [score_all(config, one, np.zeros(len(one.rows))) for one in features]
    gaussian = [windowed_gaussian(one.values) for one in series]
    best = {name: score(here, whole, profile, None) for name, profile in PROFILES.items()}
    chosen = score(here, slice(0, None, 2), STANDARD, None)
    scores = {
        **{name: of.score for name, of in best.items()},
        "standard, chosen half": chosen.score,
        "standard, other half": score(here, slice(1, None, 2), STANDARD, chosen.threshold).score,
        "standard, alarms from 1 on": score(here, whole, STANDARD, ALARM).score,
        "threshold": best["standard"].threshold,
        "windows": sum(len(one.windows) for one in series),
        "windows found": best["standard"].windows,
        "false alarms": best["standard"].false_positives,
        "error / error of the last known value": error,
    }
    baseline = {
        "range of the values alone": score(of_range, whole, STANDARD, None).score,
        "windowed Gaussian": score(gaussian, whole, STANDARD, None).score,
        "silence": 0.0,
    }
    return {"metric": "NAB score, standard profile", "value": scores["standard"], "higher_is_better": True,
            "baseline": baseline, "scores": scores}  # fmt: skip


def alarm_measures(labels: Sequence[tuple[str, int]], anomaly_scores: Sequence[float]) -> dict[str, Any]:
    """Precision, recall and F1 of the alarms of some series, and the benchmark's score; all in %.

    Precision is the share of alarms in windows, recall that of windows with an alarm.

    Args:
        labels: of each row its series, and the number of the window that it is in, or -1.
        anomaly_scores: of the rows.
    """
    by_series: dict[str, list[tuple[int, float]]] = {}
    for (name, window), score in zip(labels, anomaly_scores, strict=True):
        by_series.setdefault(name, []).append((window, score))
    scored, alarms, right, found, windows = [], 0, 0, 0, 0
    for rows in by_series.values():
        numbers, scores = (np.array(column) for column in zip(*rows, strict=True))
        alarmed = scores >= ALARM
        alarms, right = alarms + int(alarmed.sum()), right + int((alarmed & (numbers >= 0)).sum())
        inside = [np.flatnonzero(numbers == k) for k in np.unique(numbers[numbers >= 0])]
        windows, found = windows + len(inside), found + sum(bool(alarmed[places].any()) for places in inside)
        spans = sorted((int(places[0]), int(places[-1])) for places in inside)
        scored.append(ScoredSeries(scores, spans))
    precision, recall = (100 * a / b if b else 0.0 for a, b in ((right, alarms), (found, windows)))
    counted = any(right >= probationary(len(of.scores)) for of in scored for _, right in of.windows)
    of_alarms, best = (nab_score(scored, STANDARD, t).score if counted else None for t in (ALARM, None))
    return {
        "precision %": precision,
        "recall %": recall,
        "F1 %": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "NAB score": of_alarms,
        "NAB score, best threshold": best,
        "alarms": alarms,
        "alarms in windows": right,
        "windows": windows,
        "windows found": found,
    }


def relative_error(features: SeriesFeatures, detection: Detection) -> float:
    """The mean absolute error of predictions, over that of the newest value that they know, after the training rows."""
    known = features.scaling.to_values(np.array([row.known for row in features.rows]))
    values, first = features.series.values, features.training_rows
    error, of_known = (float(np.nanmean(np.abs(values - x)[first:])) for x in (detection.prediction, known))
    return error / of_known if of_known else float(error > 0)


def alarms_text(
    features: Sequence[SeriesFeatures], detections: Sequence[Detection], threshold: float, quiet: int
) -> str:
    """The alarms of all series, right and false ones, and the windows that have none, a line each.

    An alarm that comes at most `quiet` rows after another of its kind is only counted.
    """
    labelled, lines = any(one.series.windows for one in features), []
    for (series, *_), detection in zip(features, detections, strict=True):
        lines.append(series.name)
        missed, before, more = dict.fromkeys(series.windows), (None, 0), 0
        for row in np.flatnonzero(detection.anomaly_score >= threshold).tolist():
            window = next((span for span in series.windows if span[0] <= row <= span[1]), None)
            if window:
                missed.pop(window, None)
            mark = "right" if window else "FALSE" if labelled else "alarm"
            again = before[0] == mark and row - before[1] <= quiet
            before, more = (mark, row), more + 1 if again else 0
            if more == 1:
                lines.append("")
            if more:
                lines[-1] = f"          and as it grows {more} more"
            else:
                when = series.clock.tell_row(series.times[row])
                of_row = Detection(*(x[row] for x in detection))
                line = alarm_line(when, float(series.values[row]), of_row, row + 1)
                lines.append(f"  {mark}   {line}")
        for window in missed:
            left, right = (series.clock.tell_row(series.times[row]) for row in window)
            lines.append(f"  MISSED  {left} to {right}")
    return "\n".join(lines) + "\n"
