"""Scaling of many series: late ones, constant ones, counts, and those that were not there in training."""

import numpy as np
import pytest

from experiments.forecasting.panel import Panel
from experiments.forecasting.scaling import Scaling
from rnn_jax.data import DataError


def panel_of(target: np.ndarray, names: list[str] | None = None) -> Panel:
    steps = target.shape[1]
    times = np.datetime64("2020-01-01", "us") + np.arange(steps) * np.timedelta64(1, "D")
    names = names or [f"s{i}" for i in range(len(target))]
    return Panel(times, target, target[..., None], ["y"], names, "y", steps * 7 // 10, steps * 8 // 10)


RNG = np.random.default_rng(0)
VALUES = RNG.normal(5, 2, (5, 40)) * np.array([[1], [10], [100], [1], [1]])


def test_late_and_constant_series_are_scaled_as_the_median():
    target = VALUES.copy()
    target[3, :35] = np.nan  # begins after the training part
    target[4] = 7.0
    scaling = Scaling.fit(panel_of(target), 28)
    deviations = [target[i, :28].std() for i in range(3)]
    np.testing.assert_allclose(scaling.target_factor, [*deviations, np.median(deviations), np.median(deviations)])
    np.testing.assert_allclose(
        scaling.target_shift, [*(target[i, :28].mean() for i in range(3)), np.median([*target[:3, :28].mean(1), 7]), 7]
    )
    np.testing.assert_allclose(scaling.factor[:, 0], scaling.target_factor)  # of the target itself, the first input
    new = scaling.of_series(panel_of(VALUES).series, panel_of(np.full((1, 40), 3.0), ["new"]), 40)
    assert new.factor[0, 0] == new.target_factor[0] == np.median(scaling.target_factor)
    with pytest.raises(DataError, match="y of s0 is 7 throughout in the 28 steps of the training part"):
        Scaling.fit(panel_of(np.full((2, 40), 7.0)), 28)


def test_counts_are_divided_by_one_more_than_their_mean():
    counts = RNG.poisson(4, (2, 40)).astype(float)
    counts[1, :39] = 0
    scaling = Scaling.fit(panel_of(counts), 28, counts=True)
    np.testing.assert_allclose(scaling.target_factor, [1 + counts[0, :28].mean(), 1])
    assert (scaling.target_shift == 0).all() and (scaling.shift[:, 0] == 0).all()
    np.testing.assert_array_equal(scaling.factor[:, 0], scaling.target_factor)
    for wrong in (-1.0, 2.5):
        counts[0, 30] = wrong
        with pytest.raises(DataError, match=f"y of s0 is {wrong:g} at 2020-01-31"):
            Scaling.fit(panel_of(counts), 28, counts=True)


def test_other_series_are_scaled_by_what_they_have():
    panel = panel_of(VALUES)
    scaling = Scaling.fit(panel, 28)
    assert scaling.of_series(panel.series, panel, 28) is scaling
    new = panel_of(np.stack([VALUES[2] + 3, VALUES[0] * 50, np.full(40, np.nan)]), ["s2", "new", "later"])
    found = scaling.of_series(panel.series, new, 40)
    assert found.target_factor[0] == scaling.target_factor[2] and found.shift[0, 0] == scaling.shift[2, 0]
    np.testing.assert_allclose(found.target_shift[1], VALUES[0].mean() * 50)
    np.testing.assert_allclose(found.factor[1, 0], VALUES[0].std() * 50)
    np.testing.assert_allclose(found.target_factor[2], np.median(scaling.target_factor))
    np.testing.assert_allclose(found.factor[2], np.median(scaling.factor))
