"""A rolling-origin backtest: forecasts as one would have made them, from one moment of the test part after another."""

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.forecasting.commands import forecast_part, make_task, windows_of
from experiments.forecasting.figures import draw_backtest
from experiments.forecasting.intervals import SHARES, Bands, Conformal, Part, own_bands
from experiments.forecasting.outputs import Forecast
from experiments.forecasting.panel import Panel
from experiments.forecasting.scores import score_forecast
from experiments.forecasting.windows import Windows
from rnn_jax.checks import check_size
from rnn_jax.metrics import coverage
from rnn_jax.studies.statistics import bootstrap_interval
from rnn_jax.train import Run, Trained, fit

FEWEST = 5
"""Origins for an interval: fewer tell too little of how much they differ."""
TOLD = 24
"""Steps ahead that are told in lines; the file has all."""


def backtest(trained: Trained, origins: int = 10, step: int = 0, refit: Literal["none", "each"] = "none") -> None:
    """Forecast from several moments of the test part, and say by step ahead how good that was, beside simpler methods.

    Tashman 2000, "Out-of-sample tests of forecasting accuracy". backtest.json and figures/backtest.png of the run have
    the errors by step ahead, with 95 % intervals over five origins or more, and how many observations were in bands of
    80 and 90 %.

    Args:
        trained: what is tested.
        origins: how many moments to forecast from; they end as late as the data allow.
        step: how many steps they are apart; by default the horizon, so that no two forecasts are of the same moment,
            and one more where these are whole seasons, so that they do not all begin at the same hour.
        refit: none: the model of the run makes all forecasts; each: one is trained anew for each origin, on what was
            there before it, with a validation part as long as that of the run. Simpler methods are fitted once.
    """
    check_size("origins", origins)
    config, windows = trained.config, windows_of(trained)
    horizon, season = config.windows.horizon, config.windows.season
    step = step or horizon + (season > 1 and horizon % season == 0)
    check_size("step", step)
    end = windows.panel.validation if config.fit.hold_out else windows.panel.test
    parts = windows.parts(end)
    chosen = origins_of(windows, parts["test"], origins, step)
    if refit == "each":
        part, calibration = refitted(trained, windows, chosen)
    else:  # bands that follow the series go through all of it
        part, calibration = (
            forecast_part(trained.rebuild, trained.params, windows, parts[name]) for name in ("test", "validation")
        )
    bands = None
    if config.conformal != "none":
        conformal = Conformal(config.conformal, windows, calibration, positive=config.positive)
        bands = conformal.bands(part, step if refit == "each" else 1)[0]
    elif part.forecast.quantiles is not None:
        bands = own_bands(part.forecast)
    at = np.flatnonzero(np.isin(part.examples[:, 1], chosen[:, 1]))
    part, bands = part.rows(at), None if bands is None else Bands(bands.low[at], bands.high[at])
    parts |= {"test": chosen}
    scored = score_forecast(config.task, windows, parts, part.forecast, config.season, boosting=config.boosting)
    rows = by_step(chosen, part.target, {"here": part.forecast.point, **scored.others}, bands, positive=config.positive)
    panel, last = windows.panel, np.unique(chosen[:, 1])
    found = {
        "metric": "QLIKE" if config.positive else f"mean absolute error, {panel.unit}",
        "origins": [str(moment) for moment in panel.clock.tell(panel.times[last])],
        "step": step, "refit": refit, "conformal": config.conformal, "by_step": rows,
    }  # fmt: skip
    trained.run.write_json("backtest.json", found)
    title = f"{config.title}, {len(last)} origins, {'refitted each' if refit == 'each' else 'fitted once'}"
    draw_backtest(rows, trained.run.figures / "backtest.png", title, found["metric"])
    print(backtest_table(found))


def origins_of(windows: Windows, test: np.ndarray, count: int, step: int) -> np.ndarray:
    """The windows of the test part that end at `count` moments, `step` apart, the last ones that there are.

    Raises:
        ValueError: there are not so many.
    """
    last = test[:, 1]
    if (fit_in := int(last.max() - last.min()) // step + 1) < count:
        raise ValueError(
            f"origins={count}, step={step}: the test part of {len(windows.panel.times) - windows.panel.test:,} steps "
            f"has room for {fit_in} origins {step} steps apart with {windows.horizon} steps to forecast after each"
        )
    chosen = last.max() - step * np.arange(count)
    return test[np.isin(last, chosen)]


def refitted(trained: Trained, windows: Windows, examples: np.ndarray) -> tuple[Part, Part]:
    """Windows forecast by models trained on what was there before each, and the first model's validation part."""
    config, panel = trained.config, windows.panel
    forecasts, calibrations = [], []
    origins = np.unique(examples[:, 1])
    for i, last in enumerate(origins):
        known = until(panel, int(last), windows.horizon, panel.test - panel.validation)
        end = known.validation if config.fit.hold_out else known.test
        own = config.cut(known, config.scale(known, end))
        parts, here = own.parts(end), examples[examples[:, 1] == last]
        print(f"origin {i + 1} of {len(origins)}: training up to {known.times[end - 1]}", file=sys.stderr)
        task, rebuild = make_task(config, own, parts)
        with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
            outcome = fit(task, config.fit, Run.create(Path(folder), "forecasting", "origin", config))
        if outcome.reason == "signal":
            raise SystemExit(outcome.exit_code)
        forecasts.append(forecast_part(rebuild, outcome.params, own, here))
        if not calibrations:
            calibrations.append(forecast_part(rebuild, outcome.params, own, parts["validation"]))
    quantiles = [part.forecast.quantiles for part in forecasts if part.forecast.quantiles is not None]
    point = np.concatenate([part.forecast.point for part in forecasts])
    joined = Part(
        np.concatenate([part.examples for part in forecasts]),
        Forecast(point, np.concatenate(quantiles) if quantiles else None),
        np.concatenate([part.target for part in forecasts]),
    )
    return joined.rows(np.lexsort(joined.examples.T[::-1])), calibrations[0]


def until(panel: Panel, last: int, horizon: int, validation: int) -> Panel:
    """A panel as if step `last` were the newest that is known: the test part is what comes next."""
    end = last + 1 + horizon
    return dataclasses.replace(
        panel, times=panel.times[:end], target=panel.target[:, :end], inputs=panel.inputs[:, :end],
        validation=last + 1 - validation, test=last + 1, later=np.concatenate([panel.times[end:], panel.later]),
        ends=None if panel.ends is None else np.minimum(panel.ends, end),
    )  # fmt: skip


def by_step(
    examples: np.ndarray, target: np.ndarray, points: dict[str, np.ndarray], bands: Bands | None, *, positive: bool
) -> list[dict[str, Any]]:
    """For each step ahead the error of each method, that of "here" with its interval over origins, and coverage."""
    origins, found = np.unique(examples[:, 1]), []
    for h in range(target.shape[1]):
        known = ~np.isnan(target[:, h])
        row: dict[str, Any] = {"ahead": h + 1, "targets": int(known.sum())}
        for name, point in points.items():
            row[name] = float(_errors(point[known, h], target[known, h], positive).mean()) if known.any() else None
        means = [
            _errors(points["here"][rows, h], target[rows, h], positive).mean()
            for origin in origins
            if (rows := known & (examples[:, 1] == origin)).any()
        ]
        if len(means) >= FEWEST:
            low, high = bootstrap_interval(np.array(means), "mean")
            row["low"], row["high"] = max(low, 0.0), high
        for i, share in enumerate(SHARES):
            if bands is not None and known.any():
                low, high = bands.low[known, h, i], bands.high[known, h, i]
                row[f"coverage of {share:.0%}"] = coverage(low, high, target[known, h])
                row[f"width of {share:.0%}"] = float(np.mean(high - low))
        found.append(row)
    return found


def _errors(point: np.ndarray, target: np.ndarray, positive: bool) -> np.ndarray:
    if positive:
        ratio = target / point
        return ratio - np.log(ratio) - 1
    return np.abs(point - target)


def backtest_table(found: dict[str, Any]) -> str:
    """What a backtest found, in lines; of many steps ahead some."""
    rows = found["by_step"]
    skipped = ("ahead", "targets", "low", "high", "here")
    names = [name for name in rows[0] if name not in skipped]
    said = [f"{found['metric']}, from {len(found['origins'])} origins, {found['origins'][0]} to {found['origins'][-1]}"]
    said.append("  ".join(["ahead", "here [95 % interval]".rjust(26), *(name.rjust(12) for name in names)]))
    for i in np.unique(np.linspace(0, len(rows) - 1, min(TOLD, len(rows))).astype(int)):
        row = rows[i]
        interval = f" [{row['low']:.4g}, {row['high']:.4g}]" if "low" in row else ""
        here = "" if row["here"] is None else f"{row['here']:.4g}{interval}"
        cells = ["" if row.get(name) is None else f"{row[name]:.4g}" for name in names]
        width = [max(12, len(name)) for name in names]
        said.append("  ".join([f"{row['ahead']:5}", here.rjust(26), *map(str.rjust, cells, width)]))
    return "\n".join(said)
