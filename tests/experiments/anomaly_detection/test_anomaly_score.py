"""Strangeness: against its definition over the whole series, and what an alarm takes."""

import numpy as np
import pytest
from scipy.stats import norm

from experiments.anomaly_detection.anomaly_score import FLOOR, Strangeness, StrangenessSettings


def by_definition(values, errors, settings: StrangenessSettings, first: int) -> np.ndarray:
    """Every row by means over slices of all rows before."""
    strange, out = np.zeros(len(values)), np.zeros(len(values))
    means = [abs(np.mean(errors[max(0, t + 1 - settings.short) : t + 1])) for t in range(len(values))]
    for t in range(len(values)):
        before = np.array(means[:t])
        mean, std = (before.mean(), before.std()) if t else (0.0, 0.0)
        unlikely = -np.log10(norm.sf((means[t] - mean) / (std + FLOOR)))
        low, high = (min(values[:t]), max(values[:t])) if t else (values[0], values[0])
        outside = max(values[t] - high, low - values[t], 0) / max(high - low, FLOOR)
        if t >= first:
            strange[t] = max(unlikely / settings.decades, outside / settings.beyond)
        if strange[t] > max(strange[max(0, t - settings.quiet) : t], default=0):
            out[t] = strange[t]
    return out


@pytest.mark.parametrize("settings", [StrangenessSettings(short=5, quiet=10), StrangenessSettings(beyond=0.5, quiet=3)])
def test_every_row_is_judged_by_those_before(settings):
    rng = np.random.default_rng(0)
    values, errors = rng.normal(size=(2, 300))
    errors[200:] += 1.5
    judge = Strangeness(settings, first=20)
    found = [judge(float(v), float(e)) for v, e in zip(values, errors, strict=True)]
    np.testing.assert_allclose(found, by_definition(values, errors, settings, 20), rtol=1e-7, atol=1e-9)
    assert np.max(found) > 0 and not np.any(found[:20])


def alarms(values, errors, **changes) -> list[int]:
    judge = Strangeness(StrangenessSettings(**changes), first=100)
    found = [judge(float(v), float(e)) for v, e in zip(values, errors, strict=True)]
    return [t for t, strange in enumerate(found) if strange >= 1]


def test_one_anomaly_gives_one_alarm():
    rng = np.random.default_rng(0)
    values, errors = rng.uniform(-1, 1, 1000), rng.normal(0, 0.1, 1000)
    values[:2], values[500:510] = (-1, 1), 3
    assert alarms(values, errors) == [500]
    values[500:510], errors[700:] = 0, 1.0
    found = alarms(values, errors, short=20)
    assert found and 700 < found[0] < 720 and found[-1] < 720 + 20  # as the short-term mean rises, and never again


def test_errors_of_both_signs_cancel_and_missing_values_are_not_judged():
    values, errors = np.zeros(400), np.tile([1.0, -1.0], 200)
    assert alarms(values, errors) == []
    values[300] = np.nan
    errors[300] = np.nan
    judge = Strangeness(StrangenessSettings(), first=0)
    found = [judge(float(v), float(e)) for v, e in zip(values, errors, strict=True)]
    assert found[300] == 0 and np.isfinite(found).all()


def test_settings_out_of_range_are_refused():
    for name, value in (("short", 0), ("quiet", 0), ("decades", 0.0), ("beyond", -1.0)):
        with pytest.raises(ValueError, match=f"{name}={value}"):
            StrangenessSettings(**{name: value})
