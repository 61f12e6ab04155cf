"""What forecasts of a variance are measured against: GARCH(1,1), HAR regression, and means of the past."""

import warnings

import numpy as np
from scipy.optimize import nnls

from experiments.forecasting.data import mean_of_last


def garch_variances(returns: np.ndarray, end: int) -> np.ndarray:
    """The variance of each next day by GARCH(1,1) with a constant mean (Bollerslev 1986), one model for each series.

    The library arch fits it on the days before `end` by quasi-maximum likelihood. With these parameters the recursion
    σ²[t + 1] = ω + α (r[t] − μ)² + β σ²[t] then goes on through all days.

    Args:
        returns: `[S, T]`, in %.
        end: the first day that is not fitted.

    Returns:
        `[S, T]`: at each day, the forecast for the next one.
    """
    from arch import arch_model

    forecasts = np.empty_like(returns)
    for series, row in zip(returns, forecasts, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandas and of the optimizer's last digits
            mean, omega, alpha, beta = arch_model(series[:end]).fit(disp="off").params
        variance = np.var(series[:end])
        for day, shock in enumerate((series - mean) ** 2):
            variance = row[day] = omega + alpha * shock + beta * variance
    return forecasts


def har_variances(variances: np.ndarray, end: int) -> np.ndarray:
    """The variance of each next day by heterogeneous autoregression (Corsi 2009), one for each series.

    A linear regression on the mean variance of the last 1, 5 and 22 days, fitted on the days before `end` with weights
    that are no less than 0, so that no forecast is. A row counts as much as 1 / (mean of 22 days), for a few wild
    days would decide alone.

    Args:
        variances: `[S, T]`, positive.
        end: the first day that is not fitted.

    Returns:
        `[S, T]`: at each day, the forecast for the next one.
    """
    means = [mean_of_last(variances, days) for days in (1, 5, 22)]
    design = np.stack([np.ones_like(variances), *means], axis=-1)
    forecasts = np.empty_like(variances)
    for i, (rows, values) in enumerate(zip(design, variances, strict=True)):
        count = rows[: end - 1, 3] ** -0.5
        forecasts[i] = rows @ nnls(rows[: end - 1] * count[:, None], values[1:end] * count)[0]
    return forecasts


def smoothed_variances(variances: np.ndarray, decay: float = 0.94) -> np.ndarray:
    """Exponentially weighted means of the past, as of RiskMetrics (1996); `[S, T]`, of the next day at each day."""
    forecasts, mean = np.empty_like(variances), variances[:, :22].mean(axis=1)
    for day in range(variances.shape[1]):
        mean = forecasts[:, day] = decay * mean + (1 - decay) * variances[:, day]
    return forecasts
