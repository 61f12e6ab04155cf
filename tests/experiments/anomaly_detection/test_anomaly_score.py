"""The anomaly score: against its definition over the whole series, and what an alarm takes."""

import numpy as np
import pytest
from scipy.stats import norm

from experiments.anomaly_detection.anomaly_score import FLOOR, SPANS, AnomalyScore
from experiments.anomaly_detection.config import AnomalyScoreConfig


def by_definition(values, errors, config: AnomalyScoreConfig, first: int) -> np.ndarray:
    """Every row by means over slices of all rows before."""
    raw, scores = np.zeros(len(values)), np.zeros(len(values))
    rows = range(len(values))
    means = {n: [np.mean(errors[max(0, t + 1 - n) : t + 1]) for t in rows] for n in (*SPANS, config.short)}
    short, records = np.abs(means[config.short]), [values]
    records += [np.array(means[n]) for n in SPANS] if config.rule == "records" else []
    for t in rows:
        mean, std = (short[:t].mean(), short[:t].std()) if t else (0.0, 0.0)
        unlikely = -np.log10(norm.sf((short[t] - mean) / (std + FLOOR)))
        outside = []
        for of in records:
            low, high = (min(of[:t]), max(of[:t])) if t else (of[0], of[0])
            beyond = config.beyond if of is values else config.errors_beyond
            outside.append(max(of[t] - high, low - of[t], 0) / max(high - low, FLOOR) / beyond)
        if t >= first:
            raw[t] = max(outside)
            raw[t] = max(raw[t], unlikely / config.decades) if config.rule == "likelihood" else raw[t]
        if raw[t] > max(raw[max(0, t - config.quiet) : t], default=0):
            scores[t] = raw[t]
    return scores


@pytest.mark.parametrize(
    "config",
    [
        AnomalyScoreConfig(rule="likelihood", short=5, quiet=10),
        AnomalyScoreConfig(rule="likelihood", beyond=0.5, quiet=3),
        AnomalyScoreConfig(quiet=10),
        AnomalyScoreConfig(beyond=0.5, errors_beyond=0.1, quiet=3),
    ],
)  # fmt: skip
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


@pytest.mark.parametrize("rule", ["records", "likelihood"])
def test_one_anomaly_gives_one_alarm(rule):
    rng = np.random.default_rng(0)
    values, errors = rng.uniform(-1, 1, 1000), rng.uniform(-0.1, 0.1, 1000)
    values[:2], values[500:510], errors[:2] = (-1, 1), 3, (-0.1, 0.1)
    assert alarms(values, errors, rule=rule, errors_beyond=0.2) == [500]
    values[500:510], errors[700:] = 0, 1.0
    rows = alarms(values, errors, rule=rule, errors_beyond=0.2, short=20)
    assert rows and 700 <= rows[0] < 720 and rows[-1] < 720 + 20  # as short means rise, and never again


def test_usual_errors_that_suddenly_have_one_sign_are_a_record_of_their_mean():
    values, errors = np.tile([-1.0, 1.0], 500), np.tile([2.0, -2.0], 500)
    errors[:10] = 0
    assert not alarms(values, errors)
    errors[700:720] = 2
    rows = alarms(values, errors)
    assert rows and 700 < rows[0] < 705 and rows[-1] < 720


def test_errors_of_both_signs_cancel_and_missing_values_are_not_scored():
    values, errors = np.zeros(400), np.tile([1.0, -1.0], 200)
    assert alarms(values, errors) == []
    values[300] = np.nan
    errors[300] = np.nan
    score = AnomalyScore(AnomalyScoreConfig(), first=0)
    scores = [score(float(v), float(e)) for v, e in zip(values, errors, strict=True)]
    assert scores[300] == 0 and np.isfinite(scores).all()
