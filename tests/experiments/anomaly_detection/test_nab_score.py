"""The benchmark's score: worked by hand, and against its definition row by row."""

import math

import numpy as np
import pytest

from experiments.anomaly_detection.nab_score import PROFILES, Profile, ScoredSeries, nab_score, probationary

STANDARD = PROFILES["standard"]


def sigmoid(y: float) -> float:
    """Equation 1 of the paper, for A_TP = 1 and A_FP = −1: it falls from 1 before an anomaly to −1 behind it."""
    return 2 / (1 + math.exp(5 * y)) - 1


def by_definition(series: list[ScoredSeries], profile: Profile, threshold: float) -> float:
    """The score for one threshold, row by row."""
    total, windows = 0.0, 0
    for scores, spans in series:
        start = min(math.floor(0.15 * len(scores)), 750)
        gains = {}
        for row in range(start, len(scores)):
            if scores[row] < threshold:
                continue
            span = next((s for s in spans if s[0] <= row <= s[1]), None)
            before = [s for s in spans if s[1] < row]
            if span:
                y = -(span[1] - row + 1) / (span[1] - span[0] + 1)
                gains.setdefault(span, profile.true_positive * sigmoid(y) / sigmoid(-1))
            elif before:
                left, right = before[-1]
                y = (row - right) / (right - left)
                total += profile.false_positive * (sigmoid(y) if y < 3 else -1)
            else:
                total -= profile.false_positive
        counted = [s for s in spans if s[1] >= start]
        windows += len(counted)
        total += sum(gains.get(s, -profile.false_negative) for s in counted)
    silence = -profile.false_negative * windows
    return 100 * (total - silence) / (profile.true_positive * windows - silence)


def series_of(rows: int, windows=(), **alarms) -> ScoredSeries:
    """Score 1 at the rows that are named row_N, 0 elsewhere."""
    scores = np.zeros(rows)
    for name in alarms:
        scores[int(name.removeprefix("row_"))] = 1.0
    return ScoredSeries(scores, windows)


def test_weights_and_probationary_period_are_the_published_ones():
    assert PROFILES == {
        "standard": (1.0, 0.11, 1.0),
        "reward_low_FP_rate": (1.0, 0.22, 1.0),
        "reward_low_FN_rate": (1.0, 0.11, 2.0),
    }
    assert [probationary(n) for n in (0, 10, 4032, 5000, 22695)] == [0, 1, 604, 750, 750]


@pytest.mark.parametrize("profile", PROFILES.values())
def test_silence_has_0_and_the_first_row_of_each_window_alone_100(profile):
    silent = [series_of(100, [(40, 49), (70, 79)]), series_of(100)]
    assert nab_score(silent, profile) == (0, math.inf, 0, 0)
    perfect = [series_of(100, [(40, 49), (70, 79)], row_40=1, row_70=1), series_of(100)]
    assert nab_score(perfect, profile) == (pytest.approx(100), 1.0, 2, 0)


def test_detections_by_hand():
    windows = [(40, 49), (70, 79)]
    # Halfway into a window of ten rows, y = 5 / 10 from its end: tanh(1.25) / tanh(2.5); the other window is missed.
    late = nab_score([series_of(100, windows, row_45=1)], STANDARD, threshold=1.0)
    assert late.score == pytest.approx(100 * (math.tanh(1.25) / math.tanh(2.5) + 1) / 4)
    # One alarm before any window costs 0.11 of 4; 9 rows behind one, y = 1, 0.98661 of that; far behind all of it.
    assert [
        nab_score([series_of(100, windows, **{f"row_{row}": 1})], STANDARD, threshold=1.0).score for row in (20, 58)
    ] == pytest.approx([-100 * 0.11 / 4, -100 * 0.11 * 0.9866143 / 4])
    far = nab_score([series_of(100, [(20, 22)], row_90=1)], STANDARD, threshold=1.0)
    assert far.score == pytest.approx(-100 * 0.11 / 2) and far.false_positives == 1
    # The earliest detected row of a window counts, wherever the others are; probationary rows count for nothing.
    assert nab_score([series_of(100, windows, row_45=1, row_47=1, row_49=1, row_3=1)], STANDARD, 1.0) == late


def corpus(seed: int) -> list[ScoredSeries]:
    rng, series = np.random.default_rng(seed), []
    for _ in range(5):
        rows = int(rng.integers(20, 200))
        edges = np.sort(rng.choice(rows, 2 * int(rng.integers(1, 4)), replace=False))
        windows = [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if a < b]
        series.append(ScoredSeries(rng.integers(0, 12, rows) / 10 * rng.integers(0, 2, rows), windows))
    return series


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("profile", PROFILES)
def test_the_definition_row_by_row(seed, profile):
    series = corpus(seed)
    levels = [math.inf, *np.unique(np.concatenate([one.scores for one in series]))]
    expected = [by_definition(series, PROFILES[profile], level) for level in levels]
    for level, score in zip(levels, expected, strict=True):
        assert nab_score(series, PROFILES[profile], level).score == pytest.approx(score, abs=1e-9)
    best = nab_score(series, PROFILES[profile])
    assert best.score == pytest.approx(max(expected), abs=1e-9)
    assert nab_score(series, PROFILES[profile], best.threshold) == best


def test_a_threshold_between_scores_and_one_above_them():
    series = [ScoredSeries(np.where(np.arange(100) == 40, 0.5, 0.0), [(40, 49)])]
    assert nab_score(series, STANDARD, 0.3).score == pytest.approx(100)
    assert nab_score(series, STANDARD, 0.7) == (0, 0.7, 0, 0)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (ScoredSeries(np.zeros(50), []), "no series has a window after its probationary period"),
        (ScoredSeries(np.zeros(50), [(0, 5)]), "no series has a window after its probationary period"),
        (ScoredSeries(np.full(50, np.nan), [(20, 30)]), "scores have shape"),
        (ScoredSeries(np.zeros(50), [(40, 50)]), r"window \(40, 50\): expected one after row -1 in a series of 50"),
        (ScoredSeries(np.zeros(50), [(20, 30), (30, 40)]), r"window \(30, 40\): expected one after row 30"),
    ],
)
def test_what_cannot_be_scored_is_refused(series, message):
    with pytest.raises(ValueError, match=message):
        nab_score([series], STANDARD)
