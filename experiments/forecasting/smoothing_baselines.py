"""What forecasts of a level are measured against: exponential smoothing and the Theta method, one for each series.

statsmodels fits both on the training part. With these parameters their recursions then go on through all steps, each
forecast by what was there before it, as one would use them between one fit and the next. A missing value is replaced by
the last one before it.
"""

import warnings
from typing import Any

import numpy as np

from experiments.forecasting.panel import carried_forward, season_before
from experiments.forecasting.windows import Windows

MOST_SERIES = 50
"""More are not fitted: it would take longer than the training."""
MOST_SEASONS = 3
"""Further ahead they are not asked: they say the last season again, and again, as seasonal persistence does."""


def smoothing_forecasts(windows: Windows, examples: np.ndarray, end: int, season: int) -> dict[str, np.ndarray]:
    """Forecasts after windows by "exponential smoothing" and "Theta method": float64 `[N, H]` each.

    None where the panel has more than `MOST_SERIES` series, where the horizon has more than `MOST_SEASONS` seasons of
    several steps, or where a series is too short to fit three of them.

    Args:
        windows: of a panel.
        examples: int `[N, 2]`, those to forecast after.
        end: the first step that is not fitted.
        season: the steps of one; 1 for none.
    """
    panel = windows.panel
    begins = (~np.isnan(panel.target)).argmax(axis=1)
    if len(begins) > MOST_SERIES or end - begins.max() < max(10, 3 * season):
        return {}
    if season > 1 and windows.horizon > MOST_SEASONS * season:
        return {}
    values = carried_forward(panel.target)
    methods = {"exponential smoothing": ets_forecasts, "Theta method": theta_forecasts}
    found = {name: np.empty((len(examples), windows.horizon)) for name in methods}
    for s, begin in enumerate(begins):
        own = examples[:, 0] == s
        if own.any():
            steps = examples[own, 1] - begin
            for name, method in methods.items():
                found[name][own] = method(values[s, begin:], end - begin, windows.horizon, season)[steps]
    return found


def ets_forecasts(values: np.ndarray, end: int, horizon: int, season: int = 1) -> np.ndarray:
    """Exponential smoothing in its state space form, ETS (Hyndman, Koehler, Snyder & Grose 2002), additive throughout.

    With a damped trend or without one, whichever has the lower AIC; with a season if it is longer than a step.

    Args:
        values: `[T]`, none missing.
        end: the first one that is not fitted.
        horizon: H.
        season: its steps.

    Returns:
        `[T, H]`: at each step, the forecasts of the next ones.
    """
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    seasonal = {"seasonal": "add", "seasonal_periods": season} if season > 1 else {}

    def model(series: np.ndarray, damped: bool) -> ETSModel:
        trend = {"trend": "add", "damped_trend": True} if damped else {}
        return ETSModel(series, initialization_method="heuristic", **trend, **seasonal)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the optimizer's last digits
        fits: list[Any] = [model(values[:end], damped).fit(disp=False) for damped in (False, True)]
        damped = bool(fits[1].aic < fits[0].aic)
        fit = fits[damped]
        states = model(values, damped).smooth(fit.params, return_raw=True)[1]
    ahead = np.arange(1, horizon + 1)
    forecasts = np.repeat(states[:, :1], horizon, axis=1)
    if damped:
        forecasts += states[:, 1:2] * np.cumsum(fit.phi**ahead)
    if season > 1:
        forecasts += states[season_before(np.arange(len(values)), horizon, season), -1]
    return forecasts


def theta_forecasts(values: np.ndarray, end: int, horizon: int, season: int = 1) -> np.ndarray:
    """The Theta method (Assimakopoulos & Nikolopoulos 2000): smoothing with half of the trend as a drift.

    As of Hyndman & Billah (2003), on what is left when the mean season of the fitted part is taken out; see
    `ets_forecasts` for arguments and result.
    """
    from statsmodels.tsa.forecasting.theta import ThetaModel
    from statsmodels.tsa.seasonal import seasonal_decompose

    cycle = np.zeros(1)
    if season > 1:
        cycle = seasonal_decompose(values[:end], period=season).seasonal[:season]
    left = values - np.resize(cycle, len(values))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ThetaModel(left[:end], period=1, deseasonalize=False).fit()
    drift, alpha = float(fit.params["b0"]), max(float(fit.params["alpha"]), 1e-6)
    level, levels = left[0], np.empty(len(left))
    for step, value in enumerate(left):
        level = levels[step] = level + alpha * (value - level)
    count, ahead = np.arange(1, len(values) + 1)[:, None], np.arange(1, horizon + 1)
    forecasts = levels[:, None] + drift / 2 * (ahead - 1 + (1 - (1 - alpha) ** count) / alpha)
    return forecasts + cycle[(count - 1 + ahead) % len(cycle)]
