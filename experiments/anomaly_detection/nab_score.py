"""The score of the Numenta Anomaly Benchmark: early detections in labelled windows pay, false ones cost.

Lavin & Ahmad 2015, "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark",
arXiv:1510.03336, and the benchmark's program where the paper leaves a choice open. A row is detected where its anomaly
score reaches a threshold, one for all series, chosen so that the total is the highest. Rows of the probationary period,
the first 15 % of a series or 750 rows, count for nothing. The earliest detected row in a window pays

    A_TP · (2 σ(5 y) − 1) / (2 σ(5) − 1),    y = (rows from it to the window's last row, itself included) / width,

a window without a detected row costs A_FN, and a detected row outside of windows costs A_FP · (1 − 2 σ(−5 y)), y its
distance from the end of the window before over (width − 1), or A_FP where there is none or y ≥ 3. The total is scaled
so that a detector of nothing has 0 and one of the first row of each window, and nothing else, 100.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Profile(NamedTuple):
    """What detections are worth to whom."""

    true_positive: float
    false_positive: float
    false_negative: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward_low_FP_rate": Profile(1.0, 0.22, 1.0),
    "reward_low_FN_rate": Profile(1.0, 0.11, 2.0),
}
"""The benchmark's three."""


class ScoredSeries(NamedTuple):
    """The anomaly scores of one series beside the windows that hold its anomalies."""

    scores: np.ndarray
    """`[T]`, higher where an anomaly is likelier."""
    windows: Sequence[tuple[int, int]]
    """First and last row of each, in their order, apart from each other."""


class NabScore(NamedTuple):
    """How well a detector does under one profile."""

    score: float
    """From 0, nothing detected, to 100; below 0 where silence were better."""
    threshold: float
    """Rows with this anomaly score or a higher one are detected; infinite where none is."""
    windows: int
    """With a detected row."""
    false_positives: int
    """Detected rows outside of windows."""


def probationary(rows: int) -> int:
    """How many rows at the beginning of a series of so many do not count."""
    return min(int(0.15 * rows), 750)


def nab_score(series: Sequence[ScoredSeries], profile: Profile, threshold: float | None = None) -> NabScore:
    """Score a detector on a corpus.

    Args:
        series: its scores of each.
        profile: one of `PROFILES`, or your own.
        threshold: of the anomaly scores; by default the best one for this corpus and profile, as the benchmark has it.

    Raises:
        ValueError: a score is not finite, a window is not in its series, there is no window that counts, or windows
            are out of order or overlap.
    """
    parts = [_gains(one, profile) for one in series]
    scores = np.concatenate([part.scores for part in parts])
    gains, outside, first = (np.concatenate([part[i] for part in parts]) for i in (1, 2, 3))
    windows = sum(part.windows for part in parts)
    if not windows:
        raise ValueError("no series has a window after its probationary period: expected at least one")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # of each run of equal scores
    totals = np.append(0.0, np.cumsum(gains[order])[ends])
    levels = np.append(np.inf, scores[order][ends])
    chosen = int(np.argmax(totals)) if threshold is None else int(np.sum(levels >= threshold)) - 1
    detected = order[: 0 if chosen == 0 else ends[chosen - 1] + 1]
    perfect = windows * (profile.true_positive + profile.false_negative)
    return NabScore(
        100 * float(totals[chosen]) / perfect,
        float(levels[chosen]) if threshold is None else threshold,
        int(first[detected].sum()),
        int(outside[detected].sum()),
    )


class _Gains(NamedTuple):
    """What the rows of a series add to the total as the threshold falls to their scores."""

    scores: np.ndarray
    gains: np.ndarray
    outside: np.ndarray
    first: np.ndarray
    """Which row of each window is the first to be detected."""
    windows: int


def _gains(series: ScoredSeries, profile: Profile) -> _Gains:
    scores = np.asarray(series.scores, np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError(f"scores have shape {list(scores.shape)}: expected [T] of finite numbers")
    rows, start = np.arange(len(scores)), probationary(len(scores))
    # At first, how far each row is past a window, in units of the window's width.
    past, outside = np.full(len(scores), 3.0), np.ones(len(scores), bool)
    gains, first = np.zeros(len(scores)), np.zeros(len(scores), bool)
    before, counted = -1, 0
    for left, right in series.windows:
        if not before < left <= right < len(scores):
            raise ValueError(f"window {(left, right)}: expected one after row {before} in a series of {len(scores)}")
        before, width = right, right - left + 1
        outside[left : right + 1] = False
        past[right + 1 :] = np.minimum((rows[right + 1 :] - right) / max(width - 1, 1), 3.0)
        inside = rows[max(left, start) : right + 1]
        if not len(inside):
            continue
        counted += 1
        # Among equal scores the earliest row comes first: all of them are detected together.
        inside = inside[np.argsort(-scores[inside], kind="stable")]
        worth = _worth((right - inside + 1) / width) / math.tanh(2.5) * profile.true_positive
        gains[inside] = np.diff(np.maximum.accumulate(worth), prepend=-profile.false_negative)
        first[inside[0]] = True
    far = np.where(past >= 3, 1.0, _worth(past))
    gains = np.where(outside, -profile.false_positive * far, gains)
    return _Gains(scores[start:], gains[start:], outside[start:], first[start:], counted)


def _worth(y: np.ndarray) -> np.ndarray:
    """2 σ(5 y) − 1, which is tanh(5 y / 2)."""
    return np.tanh(2.5 * y)
