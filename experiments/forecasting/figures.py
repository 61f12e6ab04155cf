"""Figures of forecasts: predicted and observed values, with bands; errors by step ahead; volatility of a stock."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.forecasting.outputs import LEVELS, Forecast
from experiments.forecasting.scores import Scored
from experiments.forecasting.windows import Windows
from rnn_jax.analysis.figures import draws, save_figure


@draws
def draw_forecasts(
    windows: Windows, examples: np.ndarray, scored: Scored, file: Path, title: str, fans: int = 4
) -> None:
    """Forecasts of the first series: above, of each moment H steps before; below, of all H steps at a few moments.

    Args:
        windows: of a panel.
        examples: int `[N, 2]`, the windows forecast after.
        scored: forecasts and targets.
        file: a .png to write.
        title: above the figure.
        fans: how many moments.
    """
    from matplotlib.figure import Figure

    own = np.flatnonzero(examples[:, 0] == examples[0, 0])[-max(28 * windows.horizon, 200) :]
    times, last, ahead = windows.panel.moments(windows.horizon), examples[own, 1], windows.horizon
    target = windows.panel.target[examples[0, 0]]
    figure = Figure(figsize=(10, 3.5 + 3 * (ahead > 1)), layout="constrained")
    all_axes = figure.subplots(1 + (ahead > 1), squeeze=False)[:, 0]
    steps = np.arange(last[0] - windows.window + 1, last[-1] + ahead + 1)
    for axes in all_axes:
        axes.plot(times[steps], target[steps], color="black", linewidth=1, label="observed")
        axes.set_ylabel(windows.panel.unit)
    _draw_band(all_axes[0], times[last + ahead], _part(scored.forecast, own, -1), True)
    all_axes[0].set_title(f"forecast {ahead} step{'s' * (ahead > 1)} before")
    for axes in all_axes[1:]:
        for i in np.linspace(0, max(0, len(own) - 1 - ahead), 4).astype(int):
            place = last[i] + np.arange(1, ahead + 1)
            _draw_band(axes, times[place], _part(scored.forecast, own[i], slice(None)), False)
            axes.axvline(times[last[i]], color="grey", linewidth=0.5)
        axes.set_title(f"forecast at once, at the grey lines, of the {ahead} steps after them")
    all_axes[-1].set_xlabel("time")
    all_axes[0].legend(fontsize="small", ncols=4)
    name = windows.panel.series[examples[0, 0]]
    figure.suptitle(f"{title}{f': {name}' if name else ''}")
    save_figure(figure, file)


@draws
def draw_errors(scored: Scored, file: Path, title: str, unit: str) -> None:
    """The mean absolute error by step ahead, of all methods; and how many observations were in bands of each width."""
    from matplotlib.figure import Figure

    quantiles = scored.forecast.quantiles
    figure = Figure(figsize=(5 + 4 * (quantiles is not None), 4), layout="constrained")
    errors, *rest = figure.subplots(1, 1 + (quantiles is not None), squeeze=False)[0]
    for name, prediction in {"here": scored.forecast.point, **scored.others}.items():
        by_step = np.nanmean(np.abs(prediction - scored.target), axis=0)
        errors.plot(np.arange(1, len(by_step) + 1), by_step, marker=".", label=name)
    errors.set(title=title, xlabel="steps ahead", ylabel=f"mean absolute error, {unit}", ylim=(0, None))
    errors.legend(fontsize="small")
    if quantiles is not None:
        (axes,) = rest
        known = ~np.isnan(scored.target)
        below = [np.mean((scored.target <= quantiles[..., i])[known]) for i in range(len(LEVELS))]
        axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1, label="perfect calibration")
        axes.plot(LEVELS, below, "o-", label="here")
        axes.set(title="calibration", xlabel="level of the quantile", ylabel="share of observations below it")
        axes.legend(fontsize="small")
    save_figure(figure, file)


@draws
def draw_volatility(windows: Windows, examples: np.ndarray, scored: Scored, file: Path, title: str) -> None:
    """The deviation that was forecast of each next return of the first series, over all and around the wildest day."""
    from matplotlib.figure import Figure

    own = np.flatnonzero(examples[:, 0] == examples[0, 0])
    days, observed = windows.panel.times[examples[own, 1] + 1], np.sqrt(scored.target[own, 0])
    wildest = int(observed.argmax())
    figure = Figure(figsize=(10, 7), layout="constrained")
    for axes, near in zip(figure.subplots(2), (slice(None), slice(max(0, wildest - 60), wildest + 60)), strict=True):
        axes.plot(days[near], observed[near], ".", color="grey", markersize=3, label="size of the return")
        for name, prediction in {**scored.others, "here": scored.forecast.point}.items():
            thick = 1.5 if name == "here" else 0.7
            axes.plot(days[near], np.sqrt(prediction[own, 0])[near], linewidth=thick, label=f"deviation, {name}")
        axes.set(xlabel="day", ylabel="%", yscale="log", ylim=(0.1, None))
    figure.axes[0].legend(fontsize="small", ncols=5)
    figure.suptitle(f"{title}: {windows.panel.series[examples[0, 0]]}")
    save_figure(figure, file)


@draws
def draw_backtest(rows: list[dict[str, Any]], file: Path, title: str, metric: str) -> None:
    """Errors by step ahead with their intervals over origins, beside simpler methods; and coverage, if there are bands.

    Args:
        rows: for each step ahead, see `experiments.forecasting.backtest.by_step`.
        file: a .png to write.
        title: above the figure.
        metric: of the errors.
    """
    from matplotlib.figure import Figure

    def column(name: str) -> np.ndarray:
        return np.array([np.nan if row.get(name) is None else row[name] for row in rows], float)

    shares = [name for name in rows[0] if name.startswith("coverage")]
    figure = Figure(figsize=(5 + 4 * bool(shares), 4), layout="constrained")
    errors, *rest = figure.subplots(1, 1 + bool(shares), squeeze=False)[0]
    ahead = column("ahead")
    others = [name for name in rows[0] if name not in ("ahead", "targets", "here", "low", "high", *shares)]
    for name in ("here", *(name for name in others if not name.startswith("width"))):
        errors.plot(ahead, column(name), marker=".", label=name, linewidth=1.5 if name == "here" else 0.8)
    errors.fill_between(ahead, column("low"), column("high"), color="C0", alpha=0.2, label="95 % over origins")
    errors.set(title=title, xlabel="steps ahead", ylabel=metric, ylim=(0, None))
    errors.legend(fontsize="small")
    for axes in rest:
        for i, name in enumerate(shares):
            axes.plot(ahead, column(name), marker=".", color=f"C{i}", label=name)
            axes.axhline(float(name.split()[-1].rstrip("%")) / 100, linestyle="--", color=f"C{i}", linewidth=1)
        axes.set(title="coverage", xlabel="steps ahead", ylabel="share of observations in the band", ylim=(0, 1.02))
        axes.legend(fontsize="small", loc="lower left")
    save_figure(figure, file)


def _part(forecast: Forecast, rows: Any, steps: Any) -> Forecast:
    """Of some windows some steps."""
    quantiles = forecast.quantiles
    return Forecast(forecast.point[rows, steps], None if quantiles is None else quantiles[rows, steps])


def _draw_band(axes, times: np.ndarray, forecast: Forecast, named: bool) -> None:
    """A line with its bands; `named` in the legend."""
    axes.plot(times, forecast.point, color="C0", linewidth=1.2, label="forecast" if named else None)
    if forecast.quantiles is None:
        return
    for i in range(len(LEVELS) // 2):
        name = f"band of {LEVELS[-1 - i] - LEVELS[i]:.0%}" if named else None
        low, high = forecast.quantiles[..., i], forecast.quantiles[..., -1 - i]
        axes.fill_between(times, low, high, color="C0", alpha=0.2, linewidth=0, label=name)
