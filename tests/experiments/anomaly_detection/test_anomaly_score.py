"""The anomaly score: against its definition over the whole series, and what an alarm takes."""

import numpy as np
import pytest
from scipy.stats import norm

from experiments.anomaly_detection.anomaly_score import FLOOR, AnomalyScore
from experiments.anomaly_detection.config import AnomalyScoreConfig


def by_definition(values, errors, config: AnomalyScoreConfig, first: int) -> np.ndarray:
    """Every row by means over slices of all rows before."""
    raw, scores = np.zeros(len(values)), np.zeros(len(values))
    means = [abs(np.mean(errors[max(0, t + 1 - config.short) : t + 1])) for t in range(len(values))]
    for t in range(len(values)):
        before = np.array(means[:t])
        mean, std = (before.mean(), before.std()) if t else (0.0, 0.0)
        unlikely = -np.log10(norm.sf((means[t] - mean) / (std + FLOOR)))
        low, high = (min(values[:t]), max(values[:t])) if t else (values[0], values[0])
        outside = max(values[t] - high, low - values[t], 0) / max(high - low, FLOOR)
        if t >= first:
            raw[t] = max(unlikely / config.decades, outside / config.beyond)
        if raw[t] > max(raw[max(0, t - config.quiet) : t], default=0):
            scores[t] = raw[t]
    return scores


@pytest.mark.parametrize("config", [AnomalyScoreConfig(short=5, quiet=10), AnomalyScoreConfig(beyond=0.5, quiet=3)])
def test_every_row_is_scored_by_those_before(config):
    rng = np.random.default_rng(0)
    values, errors = rng.normal(size=(2, 300))
    errors[200:] += 1.5
    score = AnomalyScore(config, first=20)
    scores = [score(float(v), float(e)) for v, e in zip(values, errors, strict=True)]
    np.testing.assert_allclose(scores, by_definition(values, errors, config, 20), rtol=1e-7, atol=1e-9)
    assert np.max(scores) > 0 and not np.any(scores[:20])


def alarms(values, errors, **changes) -> list[int]:
    score = AnomalyScore(AnomalyScoreConfig(**changes), first=100)
    scores = [score(float(v), float(e)) for v, e in zip(values, errors, strict=True)]
    return [t for t, one in enumerate(scores) if one >= 1]


def test_one_anomaly_gives_one_alarm():
    rng = np.random.default_rng(0)
    values, errors = rng.uniform(-1, 1, 1000), rng.normal(0, 0.1, 1000)
    values[:2], values[500:510] = (-1, 1), 3
    assert alarms(values, errors) == [500]
    values[500:510], errors[700:] = 0, 1.0
    rows = alarms(values, errors, short=20)
    assert rows and 700 < rows[0] < 720 and rows[-1] < 720 + 20  # as the short-term mean rises, and never again


def test_errors_of_both_signs_cancel_and_missing_values_are_not_scored():
    values, errors = np.zeros(400), np.tile([1.0, -1.0], 200)
    assert alarms(values, errors) == []
    values[300] = np.nan
    errors[300] = np.nan
    score = AnomalyScore(AnomalyScoreConfig(), first=0)
    scores = [score(float(v), float(e)) for v, e in zip(values, errors, strict=True)]
    assert scores[300] == 0 and np.isfinite(scores).all()
