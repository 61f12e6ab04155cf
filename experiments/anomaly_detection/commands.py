"""The commands: train and others."""

import contextlib
import dataclasses
import re
import sys
from pathlib import Path

import jax
import numpy as np
from tyro.conf import Positional

from experiments.anomaly_detection.data import load_watched, watched_digests
from experiments.anomaly_detection.features import RowScale
from experiments.anomaly_detection.figures import draw_overview, draw_watched
from experiments.anomaly_detection.model import Watcher, alarms, watch_all
from experiments.anomaly_detection.scores import watch_examples, watch_result
from experiments.anomaly_detection.training import MOST_NATS, Lesson, WatchSettings, lesson_batches
from experiments.cli import Flags, open_run, resume_command
from rnn_jax.data import read_lines
from rnn_jax.data.labelled import print_lines
from rnn_jax.data.tables import TableRows
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves

NAME = "anomaly_detection"
KNOWN = {"Numenta HTM": 70.0, "CAD OSE": 69.9, "KNN-CAD": 58.0, "random cut forest": 51.7, "windowed Gaussian": 39.6}
PUBLISHED = [{"value": v, "who": who, "source": "Numenta Anomaly Benchmark, scoreboard"} for who, v in KNOWN.items()]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(WatchSettings, FitConfig):
    """Which series, and by which networks."""

    csv: str = ""
    """A table of your own in place of the benchmark: a first line with names, then times and numbers."""
    column: str = ""
    """Of your table; by default all columns of numbers, each as a series."""
    hidden_size: int = 16
    steps: int = 100
    warmup_steps: int = 20
    evaluate_every: int = 10
    learning_rate: float = 1e-2
    weight_decay: float = 0.01
    cpu_devices: int = 1


def prepare(config: Config) -> Prepared:
    """Data, networks and losses of a run."""
    lessons = [Lesson.of(config, series) for series in load_watched(config.csv, config.column)]
    training, validation = lesson_batches(lessons, config.ahead)
    params, rebuild = config.build_networks(len(lessons), key_for(config.seed, "init"))
    validate = jax.jit(lambda params: config.losses(rebuild, params, validation))

    def loss(params, carry, batch, key):
        return config.losses(rebuild, params, batch, key).mean(), (carry, {})

    def evaluate(params) -> dict[str, float]:
        return {"validation_loss": float(np.minimum(validate(params), MOST_NATS).mean())}

    def finish(outcome: Outcome, run: Run) -> dict:
        found = watch_all(config, rebuild, outcome.params, lessons)
        result = watch_result(config, lessons, found)
        published = [] if config.csv else PUBLISHED
        rows = {config.summary: result["value"], **result["baseline"], **{p["who"]: p["value"] for p in published}}
        for head, table in ((f"\n{result['metric']}", rows), ("further scores", result["scores"])):
            print(head, *(f"  {value:9.2f}  {name}" for name, value in table.items()), sep="\n")
        threshold = result["scores"]["threshold"]
        run.write_text("sample.txt", watch_examples(lessons, found, threshold, config.quiet))
        print(f"alarms: {run.path / 'sample.txt'}\nmore: python -m experiments.{NAME} detect {run.path} FILE")
        draw_curves(run.records(), run.figures / "curves.png", title=config.summary, unit="nats per row", lines={})
        draw_overview(lessons, found, threshold, run.figures / "alarms.png")
        for i, (lesson, verdict) in enumerate(zip(lessons, found, strict=True)):
            name = re.sub("[^A-Za-z0-9_-]", "-", lesson.series.name)
            draw_watched(lesson, verdict, threshold, run.figures / "series" / f"{i:02}-{name}.png")
        return {"model": config.summary, "published": published, **result}

    return Prepared(
        Task(params, loss, lambda i: training, dict.fromkeys(training), evaluate),
        finish, data=watched_digests(config.csv),
        files={"scales.json": {lesson.series.name: dataclasses.asdict(lesson.scale) for lesson in lessons}},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a network for each series on its first rows, and watch the rest."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def evaluate(run: Positional[Path]) -> None:
    """Watch the series of a run again, and print their scores."""
    opened, config = open_run(run, Config)
    lessons = [Lesson.of(config, series) for series in load_watched(config.csv, config.column)]
    params, rebuild = config.build_networks(len(lessons), key_for(config.seed, "init"))
    found = watch_all(config, rebuild, best_params(params, (), config, opened), lessons)
    result = watch_result(config, lessons, found)
    for name, value in {result["metric"]: result["value"], **result["scores"]}.items():
        print(f"{value:9.2f}  {name}")


def detect(
    run: Positional[Path], file: Positional[str] = "-", series: str = "", column: str = "", silent: int = 200
) -> None:
    """Print the alarms in a table or, without a file, in standard input, each as soon as its row has come.

    Args:
        run: with the network of the series.
        file: a table; - for standard input.
        series: whose network, where the run has several.
        column: of the table; by default the one that the network has learned, or else the first.
        silent: rows at the beginning that show what is usual, and give no alarm.
    """
    opened, config = open_run(run, Config)
    scales = opened.read_json("scales.json")
    name = series or (next(iter(scales)) if len(scales) == 1 else "")
    if name not in scales:
        raise ValueError(f"series={series!r}: expected one that the run has learned: {', '.join(scales)}")
    params, rebuild = config.build_networks(len(scales), key_for(config.seed, "init"))
    params = jax.tree.map(lambda x: x[list(scales).index(name)], best_params(params, (), config, opened))
    watcher = Watcher(config, rebuild(params), RowScale(**scales[name]), silent)
    columns, source = [column or name] if column or config.csv else [], "standard input" if file == "-" else file
    with contextlib.nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
        table = TableRows(read_lines(stream, source), source, columns=columns)
        print_lines(alarms(watcher, table))
