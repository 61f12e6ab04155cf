"""Gradient boosting beside forecasts: it learns what no line says, sees no future, and is asked for by a number."""

import dataclasses

import numpy as np
import pytest

from experiments.forecasting import EXPERIMENT
from experiments.forecasting import boosting_baseline as boosting
from experiments.forecasting.baselines import persistence, ridge_forecasts
from experiments.forecasting.covariates import Covariates
from experiments.forecasting.outputs import Forecast
from experiments.forecasting.panel import Panel
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.scores import score_level
from experiments.forecasting.windows import Windows
from tests.experiments.forecasting.small_panel import make_panel

STEPS = 900


def chaos(end: int = STEPS) -> Panel:
    """The logistic map, y ← 3.9 y (1 − y), in a unit and beside a series of noise; other values from `end` on."""
    values = np.empty(STEPS)
    values[0] = 0.3
    for t in range(1, STEPS):
        values[t] = 3.9 * values[t - 1] * (1 - values[t - 1])
    values[end:] = 0.5
    noise = np.random.default_rng(0).random(STEPS)
    inputs = np.stack([10 + 4 * values, noise], axis=-1)[None]
    times = np.datetime64("2020-01-01T00:00", "us") + np.arange(STEPS) * np.timedelta64(1, "h")
    return Panel(times, inputs[..., 0], inputs, ["y", "noise"], ["X"], "m", STEPS * 6 // 10, STEPS * 8 // 10)


def forecasts(panel: Panel, test: np.ndarray | None = None, season: int = 0) -> tuple[Windows, np.ndarray, np.ndarray]:
    windows = Windows(panel, Scaling.fit(panel, panel.validation), 4, 2)
    parts = windows.parts(panel.validation)
    test = parts["test"] if test is None else test
    found, trees = boosting.boosting_forecasts(windows, parts["training"], parts["validation"], test, 200, season)
    assert 0 < trees <= 200
    return windows, test, found


@pytest.mark.exhaustive
def test_it_learns_a_map_that_no_line_says():
    windows, test, found = forecasts(chaos())
    parts, target = windows.parts(windows.panel.validation), windows.targets(test, scaled=False)
    ridge, _ = ridge_forecasts(windows, parts["training"], parts["validation"], test)
    errors = [np.abs(one - target).mean(axis=0) for one in (found, ridge, persistence(windows, test))]
    assert (errors[0] < 0.25 * errors[1]).all() and (errors[0] < 0.25 * errors[2]).all()


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("season", [0, 3])
def test_what_comes_after_a_window_changes_nothing(season):
    end = STEPS * 9 // 10
    test = np.array([[0, t] for t in range(STEPS * 8 // 10, end)])
    whole, changed = (forecasts(chaos(last), test, season)[2] for last in (STEPS, end))
    np.testing.assert_array_equal(whole, changed)
    assert np.ptp(whole) > 1


def test_missing_targets_are_left_out_and_too_many_windows_thinned(monkeypatch):
    panel = make_panel(steps=300, missing=0.2)
    _, _, every = forecasts(panel, season=3)
    monkeypatch.setattr(boosting, "MOST_ROWS", 100)
    _, test, some = forecasts(panel, season=3)
    assert every.shape == some.shape == (len(test), 2) and np.isfinite([every, some]).all() and (every != some).any()


def test_forecasts_are_made_in_parts(monkeypatch):
    whole = forecasts(make_panel(steps=300), season=3)[2]
    monkeypatch.setattr(boosting, "AT_ONCE", 7)
    np.testing.assert_array_equal(forecasts(make_panel(steps=300), season=3)[2], whole)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("kind", ["numbers", "words"])
def test_it_sees_what_is_known_ahead_of_each_step(kind):
    """Sales depend on the offer of the day alone, which is known at all steps ahead."""
    rng = np.random.default_rng(0)
    offers = rng.integers(2, size=(1, 600))
    sales = 10.0 + 5 * offers + rng.normal(0, 0.1, offers.shape)
    nothing = Covariates.none(1, 600)
    known = (
        dataclasses.replace(nothing, future=offers[..., None].astype(float), future_names=["offer"])
        if kind == "numbers"
        else dataclasses.replace(
            nothing, words=offers[..., None], categories={"offer": ["none", "half"]}, words_ahead=1
        )
    )
    times = np.datetime64("2020-01-01", "us") + np.arange(600) * np.timedelta64(1, "D")
    panel = Panel(times, sales, sales[..., None], ["sales"], ["X"], "m", 360, 480, covariates=known)
    windows = Windows(panel, Scaling.fit(panel, panel.validation), 4, 5)
    parts = windows.parts(panel.validation)
    found, _ = boosting.boosting_forecasts(windows, parts["training"], parts["validation"], parts["test"], 100)
    ridge, _ = ridge_forecasts(windows, parts["training"], parts["validation"], parts["test"])
    for forecasts in [found, ridge] if kind == "numbers" else [found]:  # a ridge regression reads no words
        error = np.abs(forecasts - windows.targets(parts["test"], scaled=False)).mean(axis=0)
        assert (error < 0.5).all(), error


@pytest.mark.exhaustive
def test_all_that_the_network_learns_from_is_fitted():
    """Where none are held out, windows to choose by are part of the training: the trees are then fitted anew."""
    windows = Windows(chaos(), Scaling.fit(chaos(), STEPS * 8 // 10), 4, 2)
    early, late = windows.examples(0, 300), windows.examples(300, 500)
    test = windows.examples(500, 600)
    whole, trees = boosting.boosting_forecasts(windows, np.concatenate([early, late]), late, test, 50)
    before, same = boosting.boosting_forecasts(windows, early, late, test, 50)
    alone, most = boosting.boosting_forecasts(windows, late, late, test, 50)
    assert trees == same <= most == 50, "the trees are chosen by what comes before, where there is anything"
    assert (whole != before).any() and np.isfinite(alone).all()
    errors = [np.abs(one - windows.targets(test, scaled=False)).mean() for one in (whole, before)]
    assert errors[0] < errors[1]


def test_it_stands_beside_the_others_where_it_is_asked_for():
    panel = make_panel(steps=300)
    windows = Windows(panel, Scaling.fit(panel, panel.validation), 4, 2)
    parts = windows.parts(panel.validation)
    point = persistence(windows, parts["test"])
    without, with_it = (score_level(windows, parts, Forecast(point, None), 0, boosting=trees) for trees in (0, 20))
    assert with_it.baseline.keys() - without.baseline.keys() == {"gradient boosting"}
    assert np.isfinite(with_it.baseline["gradient boosting"])


@pytest.mark.parametrize(("task", "trees"), [("weather", -1), ("stocks", 100), ("returns", 100)])
def test_what_it_is_not_for_is_said(task, trees):
    with pytest.raises(ValueError, match=rf"boosting={trees}, task='{task}': .* or boosting=0"):
        EXPERIMENT.configure({"task": task, "boosting": trees})
