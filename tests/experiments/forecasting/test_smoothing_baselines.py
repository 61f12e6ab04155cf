"""Exponential smoothing and the Theta method: at each step what the library says when its data end there."""

import warnings

import numpy as np
import pytest

from experiments.forecasting.smoothing_baselines import (
    MOST_SERIES,
    ets_forecasts,
    smoothing_forecasts,
    theta_forecasts,
)
from experiments.forecasting.windows import Scaling, Windows
from tests.experiments.forecasting.small_panel import make_panel

RNG = np.random.default_rng(0)
STEPS, SEASON, END, HORIZON = 400, 6, 300, 8
WALK = 20 + np.cumsum(RNG.normal(size=STEPS)) + 0.02 * np.arange(STEPS)
SEASONAL = WALK + 5 * np.sin(2 * np.pi * np.arange(STEPS) / SEASON)


@pytest.mark.parametrize(("values", "season"), [(WALK, 1), (SEASONAL, SEASON)])
def test_at_the_end_of_what_is_fitted_they_say_what_the_library_says(values, season):
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel
    from statsmodels.tsa.forecasting.theta import ThetaModel

    seasonal = {"seasonal": "add", "seasonal_periods": season} if season > 1 else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = [
            ETSModel(values[:END], initialization_method="heuristic", **trend, **seasonal).fit(disp=False)
            for trend in ({}, {"trend": "add", "damped_trend": True})
        ]
        wanted = min(fits, key=lambda fit: fit.aic).forecast(HORIZON)
        theta = ThetaModel(values[:END], period=season, deseasonalize=season > 1, use_test=False, method="add").fit()
    np.testing.assert_allclose(ets_forecasts(values, END, HORIZON, season)[END - 1], wanted, rtol=1e-6)
    np.testing.assert_allclose(
        theta_forecasts(values, END, HORIZON, season)[END - 1], theta.forecast(HORIZON), rtol=1e-6
    )


@pytest.mark.parametrize("method", [ets_forecasts, theta_forecasts])
def test_a_forecast_knows_nothing_of_what_comes_after_it(method):
    changed = SEASONAL.copy()
    changed[350:] *= 5
    ours, theirs = (method(values, END, HORIZON, SEASON) for values in (SEASONAL, changed))
    np.testing.assert_array_equal(ours[:350], theirs[:350])
    assert (ours[350:] != theirs[350:]).all()


@pytest.mark.parametrize("method", [ets_forecasts, theta_forecasts])
def test_a_season_is_found_and_beats_none(method):
    def error(season: int) -> float:
        said = method(SEASONAL, END, HORIZON, season)
        return float(
            np.mean([np.abs(said[t] - SEASONAL[t + 1 : t + 1 + HORIZON]) for t in range(END, STEPS - HORIZON)])
        )

    assert error(SEASON) < 0.8 * error(1)


def test_each_series_of_a_panel_has_its_own_and_gaps_are_the_last_value():
    panel = make_panel(steps=200)
    panel.target[1, :7] = np.nan  # begins later
    windows = Windows(panel, Scaling.fit(panel, panel.validation), 4, 3)
    examples = windows.parts(panel.validation)["test"]
    found = smoothing_forecasts(windows, examples, panel.validation, 1)
    assert list(found) == ["exponential smoothing", "Theta method"]
    for s, begin in ((0, int(np.isnan(panel.target[0, 0]))), (1, int((~np.isnan(panel.target[1])).argmax()))):
        values = panel.target[s, begin:].copy()
        for t in np.flatnonzero(np.isnan(values)):
            values[t] = values[t - 1]
        own = examples[:, 0] == s
        wanted = theta_forecasts(values, panel.validation - begin, 3)[examples[own, 1] - begin]
        np.testing.assert_allclose(found["Theta method"][own], wanted)


def test_what_cannot_be_fitted_or_would_take_long_is_left_out():
    panel = make_panel(steps=40)
    windows = Windows(panel, Scaling.fit(panel, panel.validation), 4, 3)
    examples = windows.parts(panel.validation)["test"]
    assert smoothing_forecasts(windows, examples, panel.validation, 12) == {}
    assert smoothing_forecasts(windows, examples, panel.validation, 4)
    far = Windows(panel, windows.scaling, 4, 7)
    examples = far.parts(panel.validation)["test"]
    assert smoothing_forecasts(far, examples, panel.validation, 2) == {}, "more than three seasons ahead"
    assert smoothing_forecasts(far, examples, panel.validation, 3) and smoothing_forecasts(
        far, examples, panel.validation, 1
    )
    assert MOST_SERIES >= 20
