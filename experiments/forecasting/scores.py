"""How good forecasts of a panel are, beside those of simpler methods; all methods forecast after the same windows."""

import csv
import dataclasses
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.common.table_notes import number_text
from experiments.forecasting.baselines import persistence, ridge_forecasts
from experiments.forecasting.boosting_baseline import boosting_forecasts
from experiments.forecasting.measures import error_of, losses_of
from experiments.forecasting.outputs import LEVELS, Forecast
from experiments.forecasting.smoothing_baselines import smoothing_forecasts
from experiments.forecasting.variance_baselines import YEAR, garch_variances, har_variances, smoothed_variances
from experiments.forecasting.windows import Windows
from rnn_jax.metrics import coverage, mean_absolute_error, pinball, qlike

WEEK = 7
"""Horizons in a block of windows: days, where forecasts are of a day."""
FEWEST_BLOCKS = 10
"""Blocks for an interval: fewer tell too little of how much they differ."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """Forecasts of a part of a panel, measured.

    Attributes:
        metric: what is measured.
        measure: from points `[N, H]` to it.
        value: of the model.
        baseline: of simpler methods.
        scores: whatever else is worth knowing.
        target: the observed values, `[N, H]`.
        forecast: the model's.
        others: point forecasts of simpler methods, `[N, H]`.
    """

    metric: str
    measure: Callable[[np.ndarray], float]
    value: float
    baseline: dict[str, float]
    scores: dict[str, Any]
    target: np.ndarray
    forecast: Forecast
    others: dict[str, np.ndarray]

    @property
    def table(self) -> str:
        """All of it in lines."""
        rows = {"here": self.value, **self.baseline}
        lines = [f"  {value:8.4f}  {name}" for name, value in rows.items()]
        return "\n".join([self.metric, *lines, *(f"  {name}: {_told(value)}" for name, value in self.scores.items())])


def score_level(
    windows: Windows, parts: dict[str, np.ndarray], forecast: Forecast, season: int, error: str = "last",
    boosting: int = 0,
) -> Scored:  # fmt: skip
    """The error of forecasts, beside persistence, ridge regression, exponential smoothing and the Theta method.

    How much of it is more or less than theirs has a 95 % interval, see `difference_interval`.

    Args:
        windows: of a panel.
        parts: the windows "training", "validation" and "test".
        forecast: after those for test.
        season: of `persistence`; with 0 or 1 there is no seasonal one, with 0 no smoothing.
        error: what is measured, see `experiments.forecasting.measures.error_of`.
        boosting: trees, at most, of gradient boosting, which takes minutes; 0 for none.
    """
    test, unit = parts["test"], windows.panel.unit
    target = windows.targets(test, scaled=False)
    ridge, penalty = ridge_forecasts(windows, parts["training"], parts["validation"], test, season)
    others = {"persistence": persistence(windows, test)}
    if season > 1:
        others["seasonal persistence"] = persistence(windows, test, season)
    others["ridge regression"] = ridge
    trees = 0
    if boosting:
        others["gradient boosting"], trees = boosting_forecasts(
            windows, parts["training"], parts["validation"], test, boosting, season,
            "squared_error" if error == "squared" else "absolute_error",
        )  # fmt: skip
    if season:
        others |= smoothing_forecasts(windows, test, int(parts["training"][:, 1].max()) + 1 + windows.horizon, season)
    steps = f"{windows.horizon} step{'s' * (windows.horizon > 1)} ahead"
    ahead = {"last": f"{unit}, {steps}", "all": f"{unit}, all of {steps}", "squared": f"all of {steps}"}[error]

    def measure(point: np.ndarray) -> float:
        return error_of(error, point, target)

    baseline = {name: measure(prediction) for name, prediction in others.items()}
    value = measure(forecast.point)
    scores: dict[str, Any] = {f"value / {name}": value / other for name, other in baseline.items()}
    scores["error of all steps ahead"] = mean_absolute_error(forecast.point, target)
    scores |= {f"error of all steps ahead, {name}": mean_absolute_error(one, target) for name, one in others.items()}
    scores |= {"penalty of the ridge regression": penalty, "windows": len(test)} | score_bands(forecast, target)
    if trees:
        scores["trees of gradient boosting"] = trees
    own = _window_losses(error, forecast.point, target)
    for name, one in others.items():
        if interval := difference_interval(own - _window_losses(error, one, target), test[:, 1], windows.horizon):
            scores[f"value - {name}"], scores[f"value - {name}, 95 % interval"] = value - baseline[name], interval
    metric = f"mean {'squared' if error == 'squared' else 'absolute'} error, {ahead}"
    return Scored(metric, measure, value, baseline, scores, target, forecast, others)


def _window_losses(error: str, point: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The error of each window, `[N]`; NaN where nothing is known of it."""
    losses = losses_of(error, point, target)
    losses = losses[:, -1:] if error == "last" else losses
    count = (~np.isnan(losses)).sum(axis=1)
    return np.where(count > 0, np.nansum(losses, axis=1) / np.maximum(count, 1), np.nan)


def difference_interval(differences: np.ndarray, last: np.ndarray, horizon: int) -> list[float] | None:
    """A 95 % interval of the mean difference of two methods that forecast after the same windows.

    Errors of neighbouring windows are much the same, so blocks of windows are drawn with replacement, each of those
    that end within `WEEK` horizons of one another, of all series, and joined to a circle at the ends of the part
    (Politis & Romano 1992). It says how sure the difference is over other times like these, of one trained model.

    Args:
        differences: `[N]`, of the losses after each window; NaN is left out.
        last: int `[N]`, the last step of each window.
        horizon: H.

    Returns:
        Its two ends, percentiles of 2,000 drawn means; None where the part has fewer than `FEWEST_BLOCKS` blocks.
    """
    known = ~np.isnan(differences)
    if not known.any():
        return None
    day = (last[known] - last[known].min()) // horizon
    sums, counts = np.bincount(day, differences[known]), np.bincount(day)
    blocks = -(-len(sums) // WEEK)
    if blocks < FEWEST_BLOCKS:
        return None
    begins = np.random.default_rng(0).integers(len(sums), size=(2000, blocks))
    drawn = ((begins[..., None] + np.arange(WEEK)) % len(sums)).reshape(2000, -1)
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (0.025, 0.975))
    return [float(low), float(high)]


def score_bands(forecast: Forecast, target: np.ndarray) -> dict[str, Any]:
    """Where there are quantiles: their pinball loss, and how many targets are in the bands, all and by step ahead."""
    if (quantiles := forecast.quantiles) is None:
        return {}
    scores: dict[str, Any] = {"pinball loss": pinball(quantiles, target, LEVELS)}
    for i in range(len(LEVELS) // 2):
        low, high = quantiles[..., i], quantiles[..., -1 - i]
        name = f"coverage of the {LEVELS[-1 - i] - LEVELS[i]:.0%} band"
        scores[name] = coverage(low, high, target)
        scores[f"{name}, last step"] = coverage(low[:, -1], high[:, -1], target[:, -1])
        scores[f"width of the {LEVELS[-1 - i] - LEVELS[i]:.0%} band, last step"] = float(np.mean((high - low)[:, -1]))
    return scores


def score_return(
    windows: Windows, parts: dict[str, np.ndarray], forecast: Forecast, season: int, error: str = "last"
) -> Scored:
    """As `score_level`, beside saying 0 for each return; and what a forecast of returns explains, if anything."""
    level = score_level(windows, parts, forecast, 0, error)
    prediction, target = forecast.point, level.target
    others = {"zero return": np.zeros_like(target)} | level.others
    baseline = {"zero return": level.measure(others["zero return"])} | level.baseline
    moved = ~np.isnan(target) & (target != 0)
    scores = {
        "explained of the squares, %": 100 * float(1 - np.nansum((target - prediction) ** 2) / np.nansum(target**2)),
        "right signs, %": 100 * float(np.mean(np.sign(prediction[moved]) == np.sign(target[moved]))),
        "days up, %": 100 * float(np.mean(target[moved] > 0)),
    }
    return dataclasses.replace(level, baseline=baseline, others=others, scores=level.scores | scores)


def score_variance(
    windows: Windows, parts: dict[str, np.ndarray], forecast: Forecast, season: int, error: str = "last"
) -> Scored:
    """QLIKE of the variance of the next day, beside GARCH, GJR-GARCH, HAR regression and RiskMetrics.

    These are fitted on all days before the test part, and then go on through it with what they have; or once more after
    each year of it, on all days so far. Variances have a floor in the panel; it is the same for all methods.
    """
    panel, (series, last) = windows.panel, parts["test"].T
    target, returns = windows.targets(parts["test"], scaled=False), panel.inputs[..., panel.names.index("return")]
    by_method = {
        "GARCH(1,1)": garch_variances(returns, panel.test),
        "GARCH(1,1), refitted yearly": garch_variances(returns, panel.test, every=YEAR),
        "GJR-GARCH(1,1,1), refitted yearly": garch_variances(returns, panel.test, asymmetric=True, every=YEAR),
        "HAR regression": har_variances(panel.target, panel.test),
        "RiskMetrics": smoothed_variances(panel.target),
    }
    others = {name: variances[series, last][:, None] for name, variances in by_method.items()}

    def measure(variances: np.ndarray) -> float:
        return qlike(variances, target)

    baseline = {name: measure(variances) for name, variances in others.items()}
    next_returns = returns[series, last + 1][:, None]
    scores: dict[str, Any] = {"windows": len(target)}
    for name, variances in {"here": forecast.point, **others}.items():
        scores[f"coverage of ± 1.96 σ, {name}"] = coverage(-1.96 * variances**0.5, 1.96 * variances**0.5, next_returns)
    own = {name: _by_series(series, v, target) for name, v in {"here": forecast.point, **others}.items()}
    for name in others:
        scores[f"stocks ahead of {name}"] = f"{np.sum(own['here'] < own[name])} of {len(panel.series)}"
    scores["by stock"] = dict(zip(panel.series, own["here"].tolist(), strict=True))
    return Scored("QLIKE", measure, measure(forecast.point), baseline, scores, target, forecast, others)


def score_forecast(
    task: str, windows: Windows, parts: dict[str, np.ndarray], forecast: Forecast, season: int, error: str = "last",
    boosting: int = 0,
) -> Scored:  # fmt: skip
    """By what counts in a task: "stocks", "returns", or the level of a series; see the functions above."""
    if score := {"stocks": score_variance, "returns": score_return}.get(task):
        return score(windows, parts, forecast, season, error)
    return score_level(windows, parts, forecast, season, error, boosting)


def _by_series(series: np.ndarray, variances: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.array([qlike(variances[series == s], target[series == s]) for s in np.unique(series)])


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(item)}" for name, item in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(_told, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def examples_text(windows: Windows, examples: np.ndarray, scored: Scored, count: int = 5) -> str:
    """The best and the worst forecasts of the last step, none within a horizon of another one of its series."""
    horizon, panel, spread = windows.horizon, windows.panel, windows.scaling.target_factor
    prediction, target = scored.forecast.point[:, -1], scored.target[:, -1]
    # Of a variance it is the factor that counts.
    error = np.abs(np.log(prediction / target)) if scored.metric == "QLIKE" else np.abs(prediction - target)
    order = np.argsort(np.where(np.isnan(error), np.inf, error), kind="stable")
    order = order[: np.count_nonzero(~np.isnan(error))]
    lines = []
    for title, ranked in (("best", order), ("worst", order[::-1])):
        lines.append(f"{title}: series, moment, forecast (band of 90 %), observed")
        chosen: list[np.ndarray] = []
        for i in ranked:
            if len(chosen) < count and all(
                s != examples[i, 0] or abs(t - examples[i, 1]) >= horizon for s, t in chosen
            ):
                chosen.append(examples[i])
                series, last = examples[i]
                numbers = [prediction[i], target[i]]
                numbers += [] if (q := scored.forecast.quantiles) is None else [q[i, -1, 0], q[i, -1, -1]]
                point, seen, *ends = (number_text(number, 100 * spread[series]) for number in numbers)
                band = f" ({' to '.join(ends)})" if ends else ""
                (when,) = panel.clock.tell(panel.times[last + horizon : last + horizon + 1])
                lines.append(f"  {panel.series[series]:6} {when.replace('T', ' ')}  {point}{band}  {seen}")
    return "\n".join(lines) + "\n"


def forecast_table(
    windows: Windows, forecast: Forecast, at: Sequence[float] = LEVELS, paths: np.ndarray | None = None
) -> str:
    """What comes after the end of each series, as a CSV table; times as the data tell them.

    Args:
        windows: of a panel.
        forecast: after the last window of each series.
        at: the levels of its quantiles.
        paths: `[S, P, H]`, to stand beside.
    """
    panel, levels = windows.panel, [] if forecast.quantiles is None else [f"{level:.0%}" for level in at]
    levels += [] if paths is None else [f"path {i}" for i in range(1, paths.shape[1] + 1)]
    moments, last = panel.moments(windows.horizon), panel.last_steps
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow([*(["series"] if panel.series[0] else []), "time", "forecast", *levels])
    for i, series in enumerate(panel.series):
        for h, moment in enumerate(panel.clock.tell(moments[last[i] + 1 : last[i] + 1 + windows.horizon])):
            numbers = [forecast.point[i, h], *([] if forecast.quantiles is None else forecast.quantiles[i, h])]
            numbers += [] if paths is None else paths[i, :, h].tolist()
            spread = windows.scaling.target_factor[i]
            rows.writerow([*([series] if series else []), moment, *(number_text(n, spread) for n in numbers)])
    return written.getvalue().removesuffix("\n")
