"""What predictors are told: looked up in the whole series by its definition, never from later rows."""

import numpy as np
import pytest

from experiments.anomaly_detection.features import FEATURES, RowFeatures, RowScale, hours
from rnn_jax.data import DataError

HOUR = np.timedelta64(3600, "s")


def series(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Hourly rows with gaps, from a Tuesday at 6:00 on."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([1, 1, 1, 1, 5], rows).cumsum()
    return np.datetime64("2024-01-02T05:00", "us") + steps * HOUR, rng.normal(10, 3, rows)


def test_units_bend_what_is_far_away_and_come_back():
    times, values = series()
    scale = RowScale.of(times, values)
    assert scale == RowScale(float(np.median(values)), float(values.std()), 1.0)
    assert scale.to_unit(scale.centre) == 0 and scale.to_unit(scale.centre + 0.1 * scale.unit) == pytest.approx(
        0.1, abs=1e-3
    )
    assert scale.to_unit(scale.centre + 1000 * scale.unit) < 8
    np.testing.assert_allclose(scale.to_values(np.array([scale.to_unit(v) for v in values])), values, rtol=1e-12)
    assert np.isfinite(scale.to_values(np.array([-1e9, 1e9]))).all()


def test_a_constant_series_has_the_unit_1_and_repeated_times_the_gap_1():
    times = np.full(5, np.datetime64("2024-01-02T05:00", "us"))
    assert RowScale.of(times, np.array([7.0, np.nan, 7.0, 7.0, 7.0])) == RowScale(7.0, 1.0, 1.0)
    assert np.full(3, 0.1).std() > 0 and RowScale.of(times[:3], np.full(3, 0.1)) == RowScale(0.1, 1.0, 1.0)
    with pytest.raises(DataError, match="the first 5 rows have 1 values: expected two at least"):
        RowScale.of(times, np.array([7.0, *[np.nan] * 4]))


@pytest.mark.parametrize("ahead", [1, 4])
def test_inputs_by_their_definition(ahead):
    times, values = series()
    scale = RowScale.of(times, values)
    us = [scale.to_unit(v) for v in values]
    tell, clock = RowFeatures(scale, ahead), hours(times)
    for t, (time, value) in enumerate(zip(times, values, strict=True)):
        told = tell(time, float(value))
        known, before = (us[t - n] if t >= n else 0.0 for n in (ahead, ahead + 1))
        assert (told.known, told.value) == (known, us[t])
        hour = (time - np.datetime64("2024-01-01T00:00", "us")) / HOUR
        wanted = [known, known - before]
        wanted += [np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24)]
        wanted.append(np.log1p(clock[t] - clock[t - 1]) if t else 0.0)
        old = [i for i in range(t - ahead + 1) if 0 <= clock[t] - 24 - clock[i] < 1]
        wanted += [us[old[-1]] - known, 1] if old else [0, 0]
        assert told.inputs.dtype == np.float32 and told.inputs.shape == (FEATURES,)
        np.testing.assert_allclose(told.inputs, wanted, atol=1e-4, err_msg=f"row {t}")


def test_a_missing_value_counts_as_the_one_before_and_time_never_goes_back():
    times, values = series(60)
    gone, filled = values.copy(), values.copy()
    gone[30], filled[30] = np.nan, values[29]
    times[40] = times[35]
    scale = RowScale.of(times, values)
    one, other = RowFeatures(scale, 2), RowFeatures(scale, 2)
    for t in range(60):
        a, b = one(times[t], float(gone[t])), other(times[t], float(filled[t]))
        np.testing.assert_array_equal(a.inputs, b.inputs)
        assert np.isnan(a.value) if t == 30 else a.value == b.value
        assert np.isfinite(a.inputs).all() and a.inputs[4] >= 0
