"""The scores that forecasters read, of forecasts of new data: over all, and by step ahead."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.forecasting.outputs import LEVELS, Forecast
from rnn_jax.metrics import coverage, mean_absolute_error, pinball, quantile_crps

ERRORS = ("last", "all", "squared")
"""What a forecast is measured by, see `error_of`."""


def error_of(kind: str, point: np.ndarray, target: np.ndarray) -> float:
    """One of `ERRORS` of points `[N, H]`, where targets are known: over the last steps, or over all."""
    if kind == "last":
        point, target = point[:, -1], target[:, -1]
    return float(np.nanmean(losses_of(kind, point, target)))


def losses_of(kind: str, point: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What `error_of` is the mean of: the absolute, or the squared error of each step."""
    return (point - target) ** 2 if kind == "squared" else np.abs(point - target)


def forecast_measures(
    forecast: Forecast, target: np.ndarray, naive: np.ndarray, levels: Sequence[float] = LEVELS
) -> dict[str, Any]:
    """MAE and MASE; where there are quantiles, CRPS by these, pinball loss, and how many targets are in the bands.

    Args:
        forecast: of N windows.
        target: `[N, H]`, what came; NaN where it is missing.
        naive: `[N]`, the naive error of the series of each, by which errors are scaled (Hyndman & Koehler 2006).
        levels: of the quantiles.
    """
    steps = range(target.shape[1])
    scores = _of(forecast, target, naive, levels)
    by_step = {}
    for h in steps:
        quantiles = None if forecast.quantiles is None else forecast.quantiles[:, [h]]
        if not np.isnan(target[:, h]).all():
            by_step[str(h + 1)] = _of(Forecast(forecast.point[:, [h]], quantiles), target[:, [h]], naive, levels)
    return scores | {"by step ahead": by_step}


def _of(forecast: Forecast, target: np.ndarray, naive: np.ndarray, levels: Sequence[float]) -> dict[str, float]:
    errors = np.abs(forecast.point - target)
    usable = naive > 0  # a series that never changes has no scale
    scores = {"MAE": mean_absolute_error(forecast.point, target)}
    if usable.any() and not np.isnan(errors[usable]).all():
        scores["MASE"] = float(np.nanmean(errors[usable] / naive[usable][:, None]))
    if (quantiles := forecast.quantiles) is None:
        return scores
    scores["CRPS by 5 quantiles"] = quantile_crps(quantiles, target, levels)
    scores["pinball loss"] = pinball(quantiles, target, levels)
    for i in range(len(levels) // 2):
        name = f"coverage of the {levels[-1 - i] - levels[i]:.0%} band"
        scores[name] = coverage(quantiles[..., i], quantiles[..., -1 - i], target)
    return scores
