"""What predictors read: looked up in the whole series by its definition, never from later rows."""

import numpy as np
import pytest

from experiments.anomaly_detection.features import FEATURES, FeatureExtractor, SeriesFeatures, SeriesScaling, hours
from rnn_jax.data import DataError
from tests.experiments.anomaly_detection.small_series import make_series

HOUR = np.timedelta64(3600, "s")


def series(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Hourly rows with gaps, from a Tuesday at 6:00 on."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([1, 1, 1, 1, 5], rows).cumsum()
    return np.datetime64("2024-01-02T05:00", "us") + steps * HOUR, rng.normal(10, 3, rows)


def test_units_bend_what_is_far_away_and_come_back():
    times, values = series()
    scaling = SeriesScaling.fit(times, values)
    assert scaling == SeriesScaling(float(np.median(values)), float(values.std()), 1.0)
    zero, tenth, far = (scaling.to_unit(scaling.centre + x * scaling.unit) for x in (0, 0.1, 1000))
    assert zero == 0 and tenth == pytest.approx(0.1, abs=1e-3) and far < 8
    np.testing.assert_allclose(scaling.to_values(np.array([scaling.to_unit(v) for v in values])), values, rtol=1e-12)
    assert np.isfinite(scaling.to_values(np.array([-1e9, 1e9]))).all()


def test_a_constant_series_has_the_unit_1_and_repeated_times_the_gap_1():
    times = np.full(5, np.datetime64("2024-01-02T05:00", "us"))
    assert SeriesScaling.fit(times, np.array([7.0, np.nan, 7.0, 7.0, 7.0])) == SeriesScaling(7.0, 1.0, 1.0)
    assert np.full(3, 0.1).std() > 0 and SeriesScaling.fit(times[:3], np.full(3, 0.1)) == SeriesScaling(0.1, 1.0, 1.0)
    with pytest.raises(DataError, match="the first 5 rows have 1 values: expected two at least"):
        SeriesScaling.fit(times, np.array([7.0, *[np.nan] * 4]))


@pytest.mark.parametrize("ahead", [1, 4])
def test_inputs_by_their_definition(ahead):
    times, values = series()
    scaling = SeriesScaling.fit(times, values)
    us = [scaling.to_unit(v) for v in values]
    extract, clock = FeatureExtractor(scaling, ahead), hours(times)
    for t, (time, value) in enumerate(zip(times, values, strict=True)):
        row = extract(time, float(value))
        known, before = (us[t - n] if t >= n else 0.0 for n in (ahead, ahead + 1))
        assert (row.known, row.value) == (known, us[t])
        hour = (time - np.datetime64("2024-01-01T00:00", "us")) / HOUR
        expected = [known, known - before]
        expected += [np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24)]
        expected.append(np.log1p(clock[t] - clock[t - 1]) if t else 0.0)
        old = [i for i in range(t - ahead + 1) if 0 <= clock[t] - 24 - clock[i] < 1]
        expected += [us[old[-1]] - known, 1] if old else [0, 0]
        assert row.inputs.dtype == np.float32 and row.inputs.shape == (FEATURES,)
        np.testing.assert_allclose(row.inputs, expected, atol=1e-4, err_msg=f"row {t}")


def test_a_missing_value_counts_as_the_one_before_and_time_never_goes_back():
    times, values = series(60)
    gone, filled = values.copy(), values.copy()
    gone[30], filled[30] = np.nan, values[29]
    times[40] = times[35]
    scaling = SeriesScaling.fit(times, values)
    one, other = FeatureExtractor(scaling, 2), FeatureExtractor(scaling, 2)
    for t in range(60):
        a, b = one(times[t], float(gone[t])), other(times[t], float(filled[t]))
        np.testing.assert_array_equal(a.inputs, b.inputs)
        assert np.isnan(a.value) if t == 30 else a.value == b.value
        assert np.isfinite(a.inputs).all() and a.inputs[4] >= 0


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (300, {}, "short: 45 rows to learn from: expected 50 at least for ahead=20; give a series longer"),
        (100, {"learn": 100}, "short has 100 rows: expected values after the first 100, to watch"),
        (100, {"learn": 60, "gone": slice(60, None)}, "short has 100 rows: expected values after the first 60"),
        (100, {"learn": 60, "gone": slice(0, 59)}, "short: the first 60 rows have 1 values: expected two at least"),
    ],
)
def test_series_without_enough_values(rows, changes, message):
    values = np.arange(rows, dtype=float)
    values[changes.pop("gone", slice(0))] = np.nan
    with pytest.raises(DataError, match=message):
        SeriesFeatures.of(make_series("short", rows, values=values), ahead=20, **changes)
