"""Figures of forecasts: predicted and observed values, with bands; errors by step ahead; volatility of a stock."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.forecasting.outputs import LEVELS, Forecast
from experiments.forecasting.scores import Scored
from experiments.forecasting.windows import Windows
from rnn_jax.analysis.figures import (
    BLUE,
    GREY,
    INK,
    WIDTH,
    date_axis,
    draw_band,
    draws,
    label_lines,
    new_figure,
    save_figure,
    shared_legend,
)


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
    own = np.flatnonzero(examples[:, 0] == examples[0, 0])[-max(28 * windows.horizon, 200) :]
    times, last, ahead = windows.panel.moments(windows.horizon), examples[own, 1], windows.horizon
    target = windows.panel.target[examples[0, 0]]
    name = windows.panel.series[examples[0, 0]]
    figure = new_figure(2.8 + 2.2 * (ahead > 1), title=f"{title}{f': {name}' if name else ''}")
    all_axes = figure.subplots(1 + (ahead > 1), squeeze=False)[:, 0]
    steps = np.arange(last[0] - windows.window + 1, last[-1] + ahead + 1)
    for axes in all_axes:
        axes.plot(times[steps], target[steps], color=INK, linewidth=0.9, label="observed")
        date_axis(axes, times[steps], ticks=8)
        axes.set_ylabel(windows.panel.unit)
    _draw_band(all_axes[0], times[last + ahead], _part(scored.forecast, own, -1), True)
    all_axes[0].set_title(f"each moment, forecast {ahead} step{'s' * (ahead > 1)} before", loc="left")
    for axes in all_axes[1:]:
        for i in np.linspace(0, max(0, len(own) - 1 - ahead), 4).astype(int):
            place = last[i] + np.arange(1, ahead + 1)
            _draw_band(axes, times[place], _part(scored.forecast, own[i], slice(None)), False)
            axes.axvline(times[last[i]], color=GREY, linewidth=0.7)
        axes.set_title(f"at each grey line, the {ahead} steps after it", loc="left")
    all_axes[-1].set_xlabel("time")
    shared_legend(figure, all_axes[:1])
    save_figure(figure, file)


@draws
def draw_errors(scored: Scored, file: Path, title: str, unit: str) -> None:
    """The mean absolute error by step ahead, of all methods; and how many observations were in bands of each width."""
    quantiles = scored.forecast.quantiles
    figure = new_figure(3.4, width=8.4 if quantiles is not None else WIDTH, title=title)
    errors, *rest = figure.subplots(1, 1 + (quantiles is not None), squeeze=False, **_widths(quantiles is not None))[0]
    for name, prediction in {"here": scored.forecast.point, **scored.others}.items():
        by_step = np.nanmean(np.abs(prediction - scored.target), axis=0)
        errors.plot(np.arange(1, len(by_step) + 1), by_step, marker=".", label=name)
    errors.set(xlabel="steps ahead", ylabel=f"mean absolute error, {unit}", ylim=(0, None))
    if quantiles is not None:
        (axes,) = rest
        known = ~np.isnan(scored.target)
        below = [np.mean((scored.target <= quantiles[..., i])[known]) for i in range(len(LEVELS))]
        axes.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1, label="perfect calibration")
        axes.plot(LEVELS, below, "o-", color=BLUE, label="here")
        axes.set(xlabel="level of the quantile", ylabel="share of observations below it")
        axes.legend(loc="upper left")
    label_lines(errors)
    save_figure(figure, file)


@draws
def draw_volatility(windows: Windows, examples: np.ndarray, scored: Scored, file: Path, title: str) -> None:
    """The deviation that was forecast of each next return of the first series, over all and around the wildest day."""
    from matplotlib.ticker import NullFormatter

    own = np.flatnonzero(examples[:, 0] == examples[0, 0])
    days, observed = windows.panel.times[examples[own, 1] + 1], np.sqrt(scored.target[own, 0])
    wildest = int(observed.argmax())
    figure = new_figure(5.4, title=f"{title}: {windows.panel.series[examples[0, 0]]}")
    for axes, near in zip(figure.subplots(2), (slice(None), slice(max(0, wildest - 60), wildest + 60)), strict=True):
        axes.plot(days[near], observed[near], ".", color=GREY, markersize=3, label="size of the return")
        for i, (name, prediction) in enumerate({"here": scored.forecast.point, **scored.others}.items()):
            thick, above = (1.5, 3) if name == "here" else (0.8, 2)
            look = {"color": f"C{i}", "linewidth": thick, "zorder": above, "label": f"deviation, {name}"}
            axes.plot(days[near], np.sqrt(prediction[own, 0])[near], **look)
        axes.set(ylabel="%", yscale="log", ylim=(0.1, None))
        axes.yaxis.set(major_formatter="{x:g}", minor_formatter=NullFormatter())
        date_axis(axes, days[near], ticks=8)
    figure.axes[0].set_title("all days of the test part", loc="left")
    figure.axes[1].set_title("around the wildest day", loc="left")
    figure.axes[1].set_xlabel("day")
    shared_legend(figure, figure.axes[:1], 3)
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

    def column(name: str) -> np.ndarray:
        return np.array([np.nan if row.get(name) is None else row[name] for row in rows], float)

    shares = [name for name in rows[0] if name.startswith("coverage")]
    figure = new_figure(3.4, width=8.4 if shares else WIDTH, title=title)
    errors, *rest = figure.subplots(1, 1 + bool(shares), squeeze=False, **_widths(bool(shares)))[0]
    ahead = column("ahead")
    others = [name for name in rows[0] if name not in ("ahead", "targets", "here", "low", "high", *shares)]
    for name in ("here", *(name for name in others if not name.startswith("width"))):
        errors.plot(ahead, column(name), marker=".", label=name, linewidth=1.5 if name == "here" else 0.8)
    draw_band(errors, ahead, column("low"), column("high"))
    errors.set(xlabel="steps ahead", ylabel=f"{metric}\n(band: 95 % over origins)", ylim=(0, None))
    for axes in rest:
        for i, name in enumerate(shares):
            axes.plot(ahead, column(name), marker=".", color=f"C{i}", label=name)
            axes.axhline(float(name.split()[-1].rstrip("%")) / 100, linestyle="--", color=f"C{i}", linewidth=1)
        axes.set(
            xlabel="steps ahead", ylabel="share of observations in the band\n(dashed: as it should be)", ylim=(0, 1.02)
        )
        axes.legend(loc="lower left")
    label_lines(errors)
    save_figure(figure, file)


def _widths(two: bool) -> dict[str, Any]:
    """The first of two panels is the wider one, for labels stand beside its lines."""
    return {"width_ratios": (3, 2)} if two else {}


def _part(forecast: Forecast, rows: Any, steps: Any) -> Forecast:
    """Of some windows some steps."""
    quantiles = forecast.quantiles
    return Forecast(forecast.point[rows, steps], None if quantiles is None else quantiles[rows, steps])


def _draw_band(axes, times: np.ndarray, forecast: Forecast, named: bool) -> None:
    """A line with its bands; `named` in the legend."""
    axes.plot(times, forecast.point, color=BLUE, linewidth=1.2, label="forecast" if named else None)
    if forecast.quantiles is None:
        return
    for i in range(len(LEVELS) // 2):
        name = f"band of {LEVELS[-1 - i] - LEVELS[i]:.0%}" if named else None
        low, high = forecast.quantiles[..., i], forecast.quantiles[..., -1 - i]
        draw_band(axes, times, low, high, label=name, alpha=0.15 + 0.2 * i)
