"""The windowed Gaussian: by its definition, and the published scores that it has on real data."""

import math

import numpy as np
import pytest

from experiments.anomaly_detection.baselines import windowed_gaussian
from experiments.anomaly_detection.data import load_nab
from experiments.anomaly_detection.nab_score import PROFILES, ScoredSeries, nab_score


def test_the_windowed_gaussian_is_that_of_the_values_before():
    values = np.random.default_rng(0).normal(5, 2, 60)
    scores = windowed_gaussian(values, window=20, step=7)
    for row in (1, 5, 20, 21, 26, 27, 28, 50):
        first = 7 * (max(row - 20, 0) // 7)
        known = values[first : row if row <= 20 else first + 20]
        far = abs(values[row] - known.mean()) / (known.std() or 1e-6)
        assert scores[row] == pytest.approx(1 - 0.5 * math.erfc(far / math.sqrt(2)), abs=1e-9)
    assert windowed_gaussian(np.full(5, 3.0)).tolist() == [0, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.exhaustive
def test_the_published_scores_of_the_windowed_gaussian_come_out(real_data):
    series = load_nab()
    assert (len(series), sum(len(s.values) for s in series), sum(len(s.windows) for s in series)) == (58, 365_558, 116)
    scored = [ScoredSeries(windowed_gaussian(s.values), s.windows) for s in series]
    scores = [nab_score(scored, profile).score for profile in PROFILES.values()]
    assert scores == pytest.approx([39.65, 20.87, 47.41], abs=0.01)  # the benchmark's scoreboard: 39.6, 20.9, 47.4
