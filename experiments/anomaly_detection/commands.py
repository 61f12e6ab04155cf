"""Train a network for each series on its first rows, detect anomalies in the rest, and in new rows as they come."""

import contextlib
import dataclasses
import io
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import jax
import numpy as np
from tyro.conf import Positional

from experiments.anomaly_detection.baselines import PUBLISHED
from experiments.anomaly_detection.config import Config
from experiments.anomaly_detection.data import NAB, load_series
from experiments.anomaly_detection.detector import Detector, alarms, detect_all
from experiments.anomaly_detection.features import SeriesFeatures, SeriesScaling
from experiments.anomaly_detection.figures import draw_overview, draw_series
from experiments.anomaly_detection.model import LARGEST_LOSS, predictor_losses, training_batches
from experiments.anomaly_detection.scores import alarms_text, detection_result
from experiments.cli import Flags, print_lines
from experiments.common.reading import say
from experiments.common.table_cells import TOLD, TableConfig
from experiments.common.table_rows import Row, TableRows
from experiments.common.tables import Dialect
from experiments.common.text import open_unpacked, read_file_text
from rnn_jax.data import digests, read_lines
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, key_for
from rnn_jax.train.figures import draw_curves

DIALECT = "table.json"
"""In the directory of a run: how the table was written that it has learned from."""


def load_features(config: Config) -> list[SeriesFeatures]:
    """The series of a run, and what the networks read of them."""
    series = load_series(config.series.csv, config.series.column, config.series.table)
    return [SeriesFeatures.of(one, config.model.ahead, config.model.learn) for one in series]


def prepare(config: Config) -> Prepared:
    """Data, networks and losses of a run."""
    features, model, summary = load_features(config), config.model, config.model.summary
    training, validation = training_batches(features, model.ahead)
    if config.series.csv:
        learned, rows = features[0].training_rows, len(features[0].rows)
        print(f"rows: {learned:,} to learn from, {rows - learned:,} to watch", file=sys.stderr)
    params, rebuild = model.predictors(len(features), key_for(config.fit.seed, "init"))
    validation_losses = jax.jit(lambda params: predictor_losses(model, rebuild, params, validation))

    def loss(params, carry, batch, key):
        return predictor_losses(model, rebuild, params, batch, key).mean(), (carry, {})

    def evaluate(params) -> dict[str, float]:
        return {"validation_loss": float(np.minimum(validation_losses(params), LARGEST_LOSS).mean())}

    def finish(outcome: Outcome, run: Run) -> dict:
        detections = detect_all(config, rebuild, outcome.params, features)
        result = detection_result(config.score, features, detections)
        published = [] if config.series.csv else PUBLISHED
        rows = {summary: result["value"], **result["baseline"], **{p["who"]: p["value"] for p in published}}
        for head, table in ((f"\n{result['metric']}", rows), ("further scores", result["scores"])):
            print(head, *(f"  {value:9.2f}  {name}" for name, value in table.items()), sep="\n")
        threshold = result["scores"]["threshold"]
        run.write_text("sample.txt", alarms_text(features, detections, threshold, config.score.quiet))
        print(f"alarms: {run.path / 'sample.txt'}\nmore: python -m {__package__} detect {run.path} FILE")
        draw_curves(run.records(), run.figures / "curves.png", title=summary, unit="nats per row", lines={})
        draw_overview(features, detections, threshold, run.figures / "alarms.png")
        for i, (one, detection) in enumerate(zip(features, detections, strict=True)):
            name = re.sub("[^A-Za-z0-9_-]", "-", one.series.name)
            draw_series(one, detection, threshold, run.figures / "series" / f"{i:02}-{name}.png")
        return {"model": summary, "published": published, **result}

    return Prepared(
        Task(params, loss, lambda i: training, dict.fromkeys(training), evaluate),
        finish, data=digests(config.series.csv or NAB),
        files={"scales.json": {one.series.name: dataclasses.asdict(one.scaling) for one in features},
               **({DIALECT: features[0].series.dialect.to_json()} if config.series.csv else {})},
    )  # fmt: skip


def restore(run: Run, config: Config) -> Trained:
    """The best networks of a run, stacked `[S, ...]`, and the scaling of each series by its name, in their order."""
    scalings = {name: SeriesScaling(**values) for name, values in run.read_json("scales.json").items()}
    params, rebuild = config.model.predictors(len(scalings), key_for(config.fit.seed, "init"))
    return Trained.best(run, config, params, rebuild, preprocessor=scalings)


def evaluate(trained: Trained) -> None:
    """Detect anomalies in the series of a run again, and print their scores."""
    config, features = trained.config, load_features(trained.config)
    detections = detect_all(config, trained.rebuild, trained.params, features)
    result = detection_result(config.score, features, detections)
    for name, value in {result["metric"]: result["value"], **result["scores"]}.items():
        print(f"{value:9.2f}  {name}")


def detect(
    trained: Trained, file: Positional[str] = "-", series: str = "", column: str = "", silent: int = 200,
    table: Flags[TableConfig] = TOLD,
) -> None:  # fmt: skip
    """Print the alarms in a table or, without a file, in standard input, each as soon as its row has come.

    Args:
        trained: with the network of the series.
        file: a table; - for standard input.
        series: whose network, where the run has several.
        column: of the table; by default the one that the network has learned, or else the first.
        silent: rows at the beginning that show what is usual, and give no alarm.
        table: how it is written, where it is not written as the one that was learned from.
    """
    config, scalings = trained.config, trained.preprocessor
    name = series or (next(iter(scalings)) if len(scalings) == 1 else "")
    if name not in scalings:
        raise ValueError(f"series={series!r}: expected one that the run has learned: {', '.join(scalings)}")
    if table.sort:
        raise ValueError("sort=True: rows are watched as they come; sort the file, or leave it out")
    params = jax.tree.map(lambda x: x[list(scalings).index(name)], trained.params)
    detector = Detector(config, trained.rebuild(params), scalings[name], silent)
    columns = [column or name] if column or config.series.csv else []
    source = "standard input" if file == "-" else file
    said = {option: value for option, value in vars(table).items() if value}
    options = dataclasses.replace(config.series.table, **said)
    learned = Dialect(**trained.run.read_json(DIALECT)) if (trained.run.path / DIALECT).exists() else None
    with lines_of(file, source) as lines:
        rows = TableRows(lines, source, options, columns=columns, learned=learned)
        print_lines(alarms(detector, warned_of(rows, source)))


@contextlib.contextmanager
def lines_of(file: str, source: str) -> Iterator[Iterable[str]]:
    """The lines of a file, in any encoding, or of a stream as they come."""
    if file != "-" and Path(file).is_file():
        whole = read_file_text(file)
        say(whole.notes)
        yield io.StringIO(whole.text)
        return
    with contextlib.nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
        yield read_lines(open_unpacked(stream), source)


def warned_of(rows: Iterable[Row], source: str) -> Iterator[Row]:
    """The rows themselves; the first whose clock is no later than that of the row before is said, then how many."""
    last, late = None, 0
    for row in rows:
        if last is not None and row.time <= last:
            late += 1
            if late == 1:
                what = "is repeated" if row.time == last else f"goes back from {last}"
                print(f"note: {source}, row {row.number}: the clock {what}, at {row.told}; watched on", file=sys.stderr)
        last = row.time
        yield row
    if late > 1:
        print(f"note: {source}: the clock was repeated or went back {late:,} times", file=sys.stderr)
