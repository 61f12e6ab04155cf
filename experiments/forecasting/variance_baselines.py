"""What forecasts of a variance are measured against: GARCH models, HAR regression, and means of the past."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import LinearConstraint, minimize, nnls
from scipy.signal import lfilter

from experiments.forecasting.data import mean_of_last

YEAR = 252
"""Trading days."""
LEAST_GARCH = 1e-8
"""In parts of the variance of a series: that of no day is less, nor ω."""


class GARCH(NamedTuple):
    """GARCH(1,1) with a constant mean (Bollerslev 1986) and an asymmetry (Glosten, Jagannathan & Runkle 1993).

    σ²[t + 1] = ω + (α + γ [r[t] < μ]) (r[t] − μ)² + β σ²[t]; without γ it is GARCH.
    """

    mu: float
    omega: float
    alpha: float
    gamma: float
    beta: float

    @classmethod
    def fit(cls, returns: np.ndarray, *, asymmetric: bool = False, start: "GARCH | None" = None) -> "GARCH":
        """The parameters of the greatest Gaussian quasi-likelihood, α, α + γ, β ≥ 0 and α + γ / 2 + β < 1.

        σ² begins with the variance of the series. Both the value and the gradient are two linear filters, one forwards
        and one backwards (the adjoint), whatever the number of parameters.

        Args:
            returns: `[T]`.
            asymmetric: fit γ, too; else it is 0.
            start: where the search begins, such as the parameters of fewer days.

        Raises:
            ValueError: the returns are not finite, or all the same.
        """
        scale = float(np.std(returns))
        if not scale > 0:  # nor NaN
            raise ValueError(f"returns of standard deviation {scale}: expected finite numbers that differ")
        series = returns / scale
        begin = cls(float(series.mean()), 0.05, 0.05, 0.05 * asymmetric, 0.9 - 0.025 * asymmetric)
        if start is not None:
            begin = start._replace(mu=start.mu / scale, omega=start.omega / scale**2)
        rows = [[0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0.5, 1]]
        free = np.array([True, True, True, asymmetric, True])
        found = minimize(
            lambda values: garch_nats(_all_of(values, free), series, free),
            np.array(begin)[free],
            jac=True,
            method="SLSQP",
            bounds=np.array([(-1, 1), (LEAST_GARCH, 10), (0, 1), (-1, 2), (0, 1)])[free],
            constraints=LinearConstraint(np.array(rows)[:, free], [0, 0, 0], [np.inf, np.inf, 1 - 1e-6]),
            options={"maxiter": 200, "ftol": 1e-10},
        )
        mu, omega, *rest = _all_of(found.x, free).tolist()
        return cls(mu * scale, omega * scale**2, *rest)

    def variances(self, returns: np.ndarray, first: float) -> np.ndarray:
        """At each day of `[T]` the variance of the next one; `first` is that of the first day."""
        shocks = returns - self.mu
        news = self.omega + (self.alpha + self.gamma * (shocks < 0)) * shocks**2
        return np.asarray(lfilter([1.0], [1.0, -self.beta], news, zi=[self.beta * first])[0])


def _all_of(values: np.ndarray, free: np.ndarray) -> np.ndarray:
    """The five parameters, of which those that are not free are 0."""
    every = np.zeros(len(free))
    every[free] = values
    return every


def garch_nats(parameters: np.ndarray, series: np.ndarray, free: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean of log σ² + (r − μ)² / σ² over days, twice the nats of a day but for a constant, and its gradient.

    Args:
        parameters: the five of `GARCH`.
        series: returns, `[T]`.
        free: those that the gradient is of, bool `[5]`.
    """
    model = GARCH(*parameters)
    shocks, falls = series - model.mu, series < model.mu
    before = np.append(np.var(series), model.variances(series, float(np.var(series)))[:-1])  # σ²[t]
    variances = np.maximum(before, LEAST_GARCH)
    squares = shocks**2
    slopes = (1 / variances - squares / variances**2) * (before > LEAST_GARCH)
    # λ[t] = ∂/∂news[t]: what a day's news does to all later variances.
    adjoint = np.asarray(lfilter([1.0], [1.0, -model.beta], np.append(slopes[1:], 0.0)[::-1]))[::-1]
    direct = np.sum(-2 * shocks / variances)
    pulled = -2 * (adjoint * (model.alpha + model.gamma * falls)) @ shocks
    gradient = [direct + pulled, adjoint.sum(), adjoint @ squares, adjoint @ (squares * falls), adjoint @ before]
    value = float(np.mean(np.log(variances) + squares / variances))
    return value, (np.array(gradient) / len(series))[free]


def garch_variances(returns: np.ndarray, end: int, *, asymmetric: bool = False, every: int = 0) -> np.ndarray:
    """The variance of each next day by GARCH(1,1), or GJR-GARCH(1,1,1) where asymmetric, one model for each series.

    It is fitted on the days before `end`; with these parameters the recursion goes on through all days.

    Args:
        returns: `[S, T]`, in %.
        end: the first day that is not fitted.
        asymmetric: let a fall of the price weigh otherwise than a rise.
        every: after so many days of those from `end` on, fit anew on all days so far; 0 for never.

    Returns:
        `[S, T]`: at each day, the forecast for the next one.
    """
    days = returns.shape[1]
    fits = [end] if not every else list(range(end, days, every))
    forecasts = np.empty_like(returns)
    for series, row in zip(returns, forecasts, strict=True):
        model, begin = None, 0
        for seen, until in zip(fits, [*(later - 1 for later in fits[1:]), days], strict=True):
            model = GARCH.fit(series[:seen], asymmetric=asymmetric, start=model)
            row[begin:until] = model.variances(series[:until], float(np.var(series[:seen])))[begin:]
            begin = until
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
