"""What forecasts are measured against, each against its definition in a loop or the library that fits it."""

import warnings

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize

from experiments.forecasting.baselines import USUAL, NormalEquations, persistence, ridge_forecasts
from experiments.forecasting.boosting_baseline import boosting_forecasts
from experiments.forecasting.data import mean_of_last
from experiments.forecasting.outputs import LEVELS, Forecast
from experiments.forecasting.panel import season_before
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.scores import (
    difference_interval,
    examples_text,
    forecast_table,
    score_level,
    score_return,
    score_variance,
)
from experiments.forecasting.variance_baselines import (
    GARCH,
    garch_nats,
    garch_variances,
    har_variances,
    smoothed_variances,
)
from experiments.forecasting.windows import Windows
from rnn_jax.metrics import coverage, mean_absolute_error, pinball, qlike
from tests.experiments.forecasting.small_panel import make_panel

PANEL = make_panel()
WINDOWS = Windows(PANEL, Scaling.fit(PANEL, PANEL.validation), 4, 5)
PARTS = WINDOWS.parts(PANEL.validation)


def test_persistence_says_the_last_known_value_of_the_season():
    for season in (1, 3):
        said = persistence(WINDOWS, PARTS["test"], season)
        for (s, t), row in zip(PARTS["test"], said, strict=True):
            for h in range(1, 6):
                step = t + h - season
                while step > t:
                    step -= season
                while np.isnan(PANEL.target[s, step]):
                    step -= 1
                assert row[h - 1] == PANEL.target[s, step]


def test_a_season_longer_than_a_window_ends_at_the_first_step():
    early = np.array([[0, 3], [1, 6]])
    first = PANEL.target[:, 0]
    assert np.isfinite(first).all()
    said = persistence(WINDOWS, early, 9)
    assert (said[0] == first[0]).all() and (said[1, :3] == first[1]).all()
    np.testing.assert_array_equal(season_before(early[:, 1], 5, 3), [[1, 2, 3, 1, 2], [4, 5, 6, 4, 5]])


def test_ridge_regression_is_least_squares_with_a_penalty():
    examples, penalty = PARTS["training"], 10.0
    wanted = WINDOWS.targets(examples)

    def rows(windows: Windows, examples: np.ndarray) -> np.ndarray:
        return np.concatenate([windows.inputs(examples)[-1], np.ones((len(examples), 1))], axis=1).astype(float)

    weights = NormalEquations.of(rows, WINDOWS, examples, wanted).solve(penalty)
    design = rows(WINDOWS, examples)[:, :-1]
    for h in (0, 4):
        known = ~np.isnan(wanted[:, h])
        assert not known.all(), "no target is missing: the test tells too little"
        xs, ys = design[known], wanted[known, h]
        # Centred data have no intercept; rows of the root of the penalty make it least squares.
        centred = np.concatenate([xs - xs.mean(0), np.sqrt(penalty) * np.eye(xs.shape[1])])
        found = np.linalg.lstsq(centred, np.append(ys - ys.mean(), np.zeros(xs.shape[1])), rcond=None)[0]
        np.testing.assert_allclose(weights[:-1, h], found, atol=1e-5)
        np.testing.assert_allclose(weights[-1, h], ys.mean() - xs.mean(0) @ found, atol=1e-4)


def test_ridge_regression_finds_a_linear_rule_and_chooses_its_penalty():
    panel = make_panel(steps=200, missing=0)
    panel.target[:, 5:] = 2 * panel.inputs[:, :-5, 1] - 1  # known five steps ahead
    windows = Windows(panel, Scaling.fit(panel, panel.validation), 4, 5)
    parts = windows.parts(panel.validation)
    said, penalty = ridge_forecasts(windows, parts["training"], parts["validation"], parts["test"], season=0)
    target = windows.targets(parts["test"], scaled=False)
    assert penalty == 1 and np.abs(said - target)[:, -1].mean() < 0.1 * np.abs(target[:, -1]).mean()
    panel.target[:, 100:] = np.random.default_rng(0).normal(size=(2, 100))  # nothing to learn where it is chosen
    windows = Windows(panel, Scaling.fit(panel, panel.validation), 4, 5)
    parts = windows.parts(panel.validation)
    both = np.concatenate([parts["training"], parts["validation"]])
    said, penalty = ridge_forecasts(windows, parts["training"], parts["validation"], parts["test"])
    said_of_both, again = ridge_forecasts(windows, both, parts["validation"], parts["test"])
    assert penalty == again > 1, "the penalty is chosen by windows that are not fitted"
    assert (said != said_of_both).any()


def test_without_windows_to_choose_by_the_penalty_is_the_usual_one():
    chosen = PARTS["training"][PARTS["training"][:, 1] < 10]
    said, penalty = ridge_forecasts(WINDOWS, PARTS["training"], chosen, PARTS["test"])
    assert penalty == USUAL and np.isfinite(said).all()
    rest, same = boosting_forecasts(WINDOWS, PARTS["training"], chosen, PARTS["test"], 3)
    assert same == 3 and np.isfinite(rest).all()


def simulated(days: int = 1500, stocks: int = 2, asymmetry: float = 0.0) -> np.ndarray:
    """Returns whose variance follows GARCH(1,1) with ω = 0.05, α = 0.1, β = 0.85; less β and more γ if asymmetric."""
    rng, variance = np.random.default_rng(1), np.ones(stocks)
    returns = np.empty((stocks, days))
    for day in range(days):
        returns[:, day] = np.sqrt(variance) * rng.normal(size=stocks)
        news = (0.1 + asymmetry * (returns[:, day] < 0)) * returns[:, day] ** 2
        variance = 0.05 + news + (0.85 - asymmetry / 2) * variance
    return returns


RETURNS = simulated()
SQUARES = np.maximum(RETURNS**2, 1e-4)


LEVERAGED = simulated(asymmetry=0.1)


@pytest.mark.parametrize("asymmetric", [False, True])
def test_garch_goes_on_as_the_library_would_with_the_parameters_of_the_fitted_days(asymmetric):
    from arch import arch_model

    returns = LEVERAGED if asymmetric else RETURNS
    said = garch_variances(returns, 1000, asymmetric=asymmetric)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, first = arch_model(returns[0], o=int(asymmetric)), float(np.var(returns[0, :1000]))
        fitted = model.fit(last_obs=1000, disp="off", backcast=first)
        wanted = np.asarray(fitted.forecast(start=1000, horizon=1).variance, np.float64)[:, 0]
    np.testing.assert_allclose(said[0, 1000:], wanted, rtol=5e-3)
    changed = returns.copy()
    changed[:, 1000:] *= 3
    np.testing.assert_array_equal(garch_variances(changed, 1000, asymmetric=asymmetric)[:, :1000], said[:, :1000])


def test_the_likelihood_of_garch_is_that_of_its_recursion_and_has_its_slope():
    series, model = LEVERAGED[0, :300], GARCH(0.05, 0.1, 0.08, 0.1, 0.8)

    def nats(parameters) -> float:
        mu, omega, alpha, gamma, beta = parameters
        variance, total = np.var(series), 0.0
        for value in series:
            total += np.log(variance) + (value - mu) ** 2 / variance
            variance = omega + (alpha + gamma * (value < mu)) * (value - mu) ** 2 + beta * variance
        return total / len(series)

    value, slope = garch_nats(np.array(model), series, np.ones(5, bool))
    assert value == pytest.approx(nats(model), rel=1e-10)
    np.testing.assert_allclose(slope, approx_fprime(np.array(model), nats, 1e-7), atol=1e-4)


def test_garch_that_is_refitted_goes_by_all_days_so_far_and_no_later_ones():
    once, anew = (garch_variances(LEVERAGED, 1000, asymmetric=True, every=every) for every in (0, 200))
    np.testing.assert_array_equal(anew[:, :1199], once[:, :1199])
    later = garch_variances(LEVERAGED[:, :1400], 1200, asymmetric=True)
    # The second fit begins where the first has ended, so that the two agree as far as the search goes.
    np.testing.assert_allclose(anew[:, 1199:1399], later[:, 1199:1399], rtol=1e-3)
    assert (np.abs(anew[:, 1199:] / once[:, 1199:] - 1) > 1e-4).any()
    changed = LEVERAGED.copy()
    changed[:, 1300:] *= 3
    found = garch_variances(changed, 1000, asymmetric=True, every=200)
    np.testing.assert_array_equal(found[:, :1300], anew[:, :1300])


def test_garch_needs_returns_that_differ():
    for series in (np.ones(50), np.full(50, np.nan)):
        with pytest.raises(ValueError, match="standard deviation"):
            GARCH.fit(series)


def test_har_is_least_squares_on_means_of_the_past():
    said = har_variances(SQUARES, 1000)
    assert (said > 0).all()
    means = [mean_of_last(SQUARES, days)[0] for days in (1, 5, 22)]
    design = np.stack([np.ones(1500), *means], axis=1)

    def cost(weights):
        return np.sum((SQUARES[0, 1:1000] - design[:999] @ weights) ** 2 / means[2][:999])

    found = minimize(cost, np.full(4, 0.3), bounds=[(0, None)] * 4, tol=1e-12).x
    np.testing.assert_allclose(said[0], design @ found, rtol=1e-2)
    changed = SQUARES.copy()
    changed[:, 1000:] *= 3
    np.testing.assert_array_equal(har_variances(changed, 1000)[:, :1000], said[:, :1000])


def test_smoothed_variances_forget_by_a_fixed_part_each_day():
    said = smoothed_variances(SQUARES, 0.9)
    np.testing.assert_allclose(said[:, 500], 0.9 * said[:, 499] + 0.1 * SQUARES[:, 500])


def stock_windows() -> Windows:
    panel = make_panel(missing=0)
    inputs = RETURNS[..., None]
    times = np.datetime64("2020-01-01", "us") + np.arange(1500) * np.timedelta64(1, "D")
    panel = type(panel)(times, SQUARES, inputs, ["return"], ["X", "Y"], "(%)²", 1000, 1100)
    return Windows(panel, Scaling.fit(panel, 1000, positive=True), 5, 1)


def test_variances_are_scored_beside_garch_har_and_riskmetrics():
    windows = stock_windows()
    parts = windows.parts(1000)
    series, last = parts["test"].T
    target = SQUARES[series, last + 1]
    scored = score_variance(windows, parts, Forecast(np.full((len(target), 1), 2.0), None), season=0)
    assert scored.value == pytest.approx(np.mean(target / 2 - np.log(target / 2) - 1))
    garch = garch_variances(RETURNS, 1100)[series, last]
    assert scored.baseline["GARCH(1,1)"] == pytest.approx(np.mean(target / garch - np.log(target / garch) - 1))
    leveraged = garch_variances(RETURNS, 1100, asymmetric=True, every=252)[series, last]
    by_leverage = np.mean(target / leveraged - np.log(target / leveraged) - 1)
    assert scored.baseline["GJR-GARCH(1,1,1), refitted yearly"] == pytest.approx(by_leverage)
    yearly = {"GARCH(1,1), refitted yearly", "GJR-GARCH(1,1,1), refitted yearly"}
    assert set(scored.baseline) == {"GARCH(1,1)", "HAR regression", "RiskMetrics"} | yearly
    assert scored.value > scored.baseline["GARCH(1,1)"] and scored.scores["stocks ahead of GARCH(1,1)"] == "0 of 2"
    assert 0.9 < scored.scores["coverage of ± 1.96 σ, GARCH(1,1)"] < 0.99
    assert np.mean(list(scored.scores["by stock"].values())) == pytest.approx(scored.value)


def test_levels_are_scored_at_the_last_step():
    target = WINDOWS.targets(PARTS["test"], scaled=False)
    quantiles = np.nan_to_num(target)[..., None] + np.array([-1, -0.5, 1, 2, 3])
    forecast = Forecast(quantiles[..., 2], quantiles)
    scored = score_level(WINDOWS, PARTS, forecast, season=3)
    assert scored.value == pytest.approx(1) and scored.metric == "mean absolute error, m, 5 steps ahead"
    smoothed = ["exponential smoothing", "Theta method"]
    assert list(scored.baseline) == ["persistence", "seasonal persistence", "ridge regression", *smoothed]
    for name in smoothed:
        assert np.isfinite(scored.others[name]).all()
    last = mean_absolute_error(persistence(WINDOWS, PARTS["test"])[:, -1], target[:, -1])
    assert scored.baseline["persistence"] == last and scored.scores["value / persistence"] == pytest.approx(1 / last)
    assert scored.scores["coverage of the 90% band"] == scored.scores["coverage of the 50% band, last step"] == 1
    assert scored.scores["width of the 90% band, last step"] == pytest.approx(4)
    text = examples_text(WINDOWS, PARTS["test"], scored, count=2)
    assert text.count("\n") == 6 and "best: series" in text and ("  X " in text or "  Y " in text)
    table = forecast_table(WINDOWS, Forecast(forecast.point[:2], quantiles[:2])).splitlines()
    assert table[0] == "series,time,forecast,5%,25%,50%,75%,95%" and len(table) == 1 + 2 * 5
    assert table[1].startswith("X,2020-01-04T08:00:00,") and table[-1].startswith("Y,2020-01-04T12:00:00,")


@pytest.mark.parametrize(
    ("error", "value", "metric"),
    [
        ("last", 5.0, "mean absolute error, m, 5 steps ahead"),
        ("all", 3.0, "mean absolute error, m, all of 5 steps ahead"),
        ("squared", 11.0, "mean squared error, all of 5 steps ahead"),
    ],
)
def test_an_error_is_of_the_last_step_or_of_all(error, value, metric):
    target = WINDOWS.targets(PARTS["test"], scaled=False)
    whole = PARTS["test"][~np.isnan(target).any(axis=1)]  # so that all steps count alike
    away = np.array([1.0, -2.0, 3.0, -4.0, 5.0])
    parts, target = PARTS | {"test": whole}, WINDOWS.targets(whole, scaled=False)
    scored = score_level(WINDOWS, parts, Forecast(target + away, None), 1, error)
    assert scored.value == pytest.approx(value) and scored.metric == metric
    last = persistence(WINDOWS, whole) - target
    of = {"last": np.abs(last[:, -1]), "all": np.abs(last), "squared": last**2}[error]
    assert scored.baseline["persistence"] == pytest.approx(of.mean())
    assert not any("interval" in name for name in scored.scores), "two days are too few for an interval"


@pytest.mark.exhaustive
def test_intervals_of_differences_draw_whole_days():
    rng, horizon, days = np.random.default_rng(1), 24, 700
    last = np.repeat(np.arange(days * horizon), 2)
    offset = np.repeat(rng.normal(0.3, 1.0, days), 2 * horizon)  # the hours of a day go together
    low, high = difference_interval(np.where(rng.random(len(last)) < 0.1, np.nan, offset), last, horizon) or (0, 0)
    mean = offset.reshape(days, -1)[:, 0].mean()
    assert low < mean < high and (high - low) == pytest.approx(2 * 1.96 / days**0.5, rel=0.15)
    alone = difference_interval(offset, np.arange(len(last)) * horizon, horizon) or (0, 0)
    assert alone[1] - alone[0] < (high - low) / 2, "windows that are far apart tell more"
    assert difference_interval(offset[: 60 * 48], last[: 60 * 48], horizon) is None, "nine weeks are too few"
    assert difference_interval(np.full(5, np.nan), np.arange(5), 1) is None


def test_returns_are_scored_beside_zero():
    came = WINDOWS.targets(PARTS["test"], scaled=False)
    scored = score_return(WINDOWS, PARTS, Forecast(came.copy(), None), season=0)
    assert scored.value == 0 and scored.scores["right signs, %"] == 100
    assert scored.baseline["zero return"] == pytest.approx(np.nanmean(np.abs(came[:, -1])))
    assert scored.scores["explained of the squares, %"] == pytest.approx(100)


def test_scores_by_hand():
    nan = np.nan
    assert mean_absolute_error([1, 2, 3], [2, nan, 0]) == 2
    assert coverage([0, 0, 0, 0], [1, 1, 1, 1], [0.5, 2, nan, 1]) == pytest.approx(2 / 3)
    assert qlike([1.0, 2.0], [1.0, 2.0]) == 0 and qlike([2.0, 5.0], [1.0, nan]) == pytest.approx(0.5 + np.log(2) - 1)
    # Two below a quantile of 0.9 cost 1.8; two above it 0.2.
    assert pinball(np.array([[0.0], [2.0], [9.0]]), np.array([2.0, 0.0, nan]), [0.9]) == pytest.approx(1.0)
    assert 2 * pinball(np.zeros((3, 1)), np.array([1.0, -2, 3]), [0.5]) == pytest.approx(2)
    assert len(LEVELS) == 5
