"""What watched series are worth: the benchmark's scores where anomalies are labelled, and alarms in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.anomaly_detection.anomaly_score import StrangenessSettings
from experiments.anomaly_detection.baselines import windowed_gaussian
from experiments.anomaly_detection.model import Verdict, alarm_line, judge_all
from experiments.anomaly_detection.nab_score import PROFILES, Labelled, NabScore, Profile, nab_score
from experiments.anomaly_detection.training import Lesson

STANDARD = PROFILES["standard"]


def watch_result(settings: StrangenessSettings, lessons: Sequence[Lesson], found: Sequence[Verdict]) -> dict[str, Any]:
    """The score of watched series, for `result.json`: the benchmark's where windows are labelled, else the error.

    The error is the mean absolute one of the predictions of a series after what was learned from, over that of the
    newest value that they know; the median over all series.

    `standard, other half` is the score of every second series with the threshold that is best for the others, which
    the settings were chosen by. `standard, alarms from 1 on` takes no labels for a threshold.
    """
    error = float(np.median([relative_error(*of) for of in zip(lessons, found, strict=True)]))
    series = [lesson.series for lesson in lessons]
    if not any(one.windows for one in series):
        alarms = {
            f"alarms, {one.name}": int((verdict.strangeness >= 1).sum())
            for one, verdict in zip(series, found, strict=True)
        }
        return {"metric": "error / error of the last known value", "value": error, "higher_is_better": False,
                "baseline": {"last known value": 1.0}, "scores": {"threshold": 1.0, **alarms}}  # fmt: skip

    def score(strangeness: list[np.ndarray], part: slice, profile: Profile, threshold: float | None) -> NabScore:
        said = [Labelled(strange, one.windows) for strange, one in zip(strangeness, series, strict=True)]
        return nab_score(said[part], profile, threshold)

    strange, whole = [verdict.strangeness for verdict in found], slice(None)
    without = [judge_all(settings, lesson, np.zeros(len(lesson.rows))) for lesson in lessons]
    gaussian = [windowed_gaussian(one.values) for one in series]
    best = {name: score(strange, whole, profile, None) for name, profile in PROFILES.items()}
    chosen = score(strange, slice(0, None, 2), STANDARD, None)
    scores = {
        **{name: of.score for name, of in best.items()},
        "standard, chosen half": chosen.score,
        "standard, other half": score(strange, slice(1, None, 2), STANDARD, chosen.threshold).score,
        "standard, alarms from 1 on": score(strange, whole, STANDARD, 1.0).score,
        "threshold": best["standard"].threshold,
        "windows": sum(len(one.windows) for one in series),
        "windows found": best["standard"].windows,
        "false alarms": best["standard"].false_positives,
        "error / error of the last known value": error,
    }
    baseline = {
        "range of the values alone": score(without, whole, STANDARD, None).score,
        "windowed Gaussian": score(gaussian, whole, STANDARD, None).score,
        "silence": 0.0,
    }
    return {"metric": "NAB score, standard profile", "value": scores["standard"], "higher_is_better": True,
            "baseline": baseline, "scores": scores}  # fmt: skip


def relative_error(lesson: Lesson, verdict: Verdict) -> float:
    """The mean absolute error of predictions, over that of the newest value that they know, after the learned rows."""
    known = lesson.scale.to_values(np.array([row.known for row in lesson.rows]))
    errors = [np.abs(lesson.series.values - x)[lesson.learned :] for x in (verdict.expected, known)]
    own, other = (float(np.nanmean(x)) for x in errors)
    return own / other if other else float(own > 0)


def watch_examples(lessons: Sequence[Lesson], found: Sequence[Verdict], threshold: float, quiet: int) -> str:
    """The alarms of all series, right and false ones, and the windows that have none, a line each.

    An alarm that comes at most `quiet` rows after another of its kind is only counted.
    """
    labelled, lines = any(lesson.series.windows for lesson in lessons), []
    for (one, *_), verdict in zip(lessons, found, strict=True):
        lines.append(one.name)
        missed, before, more = dict.fromkeys(one.windows), (None, 0), 0
        for row in np.flatnonzero(verdict.strangeness >= threshold).tolist():
            window = next((span for span in one.windows if span[0] <= row <= span[1]), None)
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
                line = alarm_line(one.times[row], float(one.values[row]), Verdict(*(x[row] for x in verdict)))
                lines.append(f"  {mark}   {line}")
        for window in missed:
            left, right = (str(one.times[row].astype("datetime64[s]")).replace("T", " ") for row in window)
            lines.append(f"  MISSED  {left} to {right}")
    return "\n".join(lines) + "\n"
