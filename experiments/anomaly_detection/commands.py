"""Train a network for each series on its first rows, detect anomalies in the rest, and in new rows as they come."""

import dataclasses
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
from tyro.conf import Positional

from experiments.anomaly_detection.config import AnomalyScoreConfig, Config
from experiments.anomaly_detection.data import NAB, load_series
from experiments.anomaly_detection.detector import alarms, detect_all
from experiments.anomaly_detection.features import SeriesFeatures, SeriesScaling
from experiments.anomaly_detection.figures import draw_overview, draw_series
from experiments.anomaly_detection.model import LARGEST_LOSS, predictor_loss, predictor_losses, training_batches
from experiments.anomaly_detection.nab_score import PROFILES, ScoredSeries, nab_score, probationary
from experiments.anomaly_detection.predictor import DIALECT, AnomalyDetectionPredictor, lines_of, with_values
from experiments.anomaly_detection.rehearsal import with_anomalies
from experiments.anomaly_detection.scores import alarms_text, detection_result
from experiments.cli import Flags, print_lines
from experiments.common.reading import say
from experiments.common.table_cells import TOLD, TableConfig
from experiments.published import published, values_of
from rnn_jax.data import digests
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, key_for
from rnn_jax.train.figures import draw_curves


def load_features(config: Config) -> list[SeriesFeatures]:
    """The series of a run, and what the networks read of them."""
    series = load_series(config.series.csv, config.series.column, config.series.table, config.series.by)
    return [SeriesFeatures.of(one, config.model.ahead, config.model.learn) for one in series]


def prepare(config: Config) -> Prepared:
    """Data, networks and losses of a run."""
    features, model, summary = load_features(config), config.model, config.model.summary
    training, validation = training_batches(features, model.ahead)
    if config.series.csv:
        learned, rows = sum(one.training_rows for one in features), sum(len(one.rows) for one in features)
        of = f" of {len(features):,} series" * (len(features) > 1)
        print(f"rows{of}: {learned:,} to learn from, {rows - learned:,} to watch", file=sys.stderr)
    params, rebuild = model.predictors(len(features), key_for(config.fit.seed, "init"))
    validation_losses = jax.jit(lambda params: predictor_losses(model, rebuild, params, validation))

    def loss(params, carry, batch, key):
        return predictor_losses(model, rebuild, params, batch, key).mean(), (carry, {})

    def alone(params, batch, row):
        series = row % len(features)
        mine = [jnp.asarray(batch[name][series]) for name in ("inputs", "targets", "weights")]
        return predictor_loss(model, rebuild(jax.tree.map(lambda a: a[series], params)), *mine)

    def evaluate(params) -> dict[str, float]:
        return {"validation_loss": float(np.minimum(validation_losses(params), LARGEST_LOSS).mean())}

    def finish(outcome: Outcome, run: Run) -> dict:
        detections = detect_all(config, rebuild, outcome.params, features)
        result = detection_result(config.score, features, detections)
        known = [] if config.series.csv else published("anomaly_detection/nab-standard")
        rows = {summary: result["value"], **result["baseline"], **values_of(known)}
        for head, table in ((f"\n{result['metric']}", rows), ("further scores", result["scores"])):
            print(head, *(f"  {value:9.2f}  {name}" for name, value in table.items()), sep="\n")
        threshold = result["scores"]["threshold"]
        run.write_text("sample.txt", alarms_text(features, detections, threshold, config.score.quiet))
        print(f"alarms: {run.path / 'sample.txt'}")
        draw_curves(run.records(), run.figures / "curves.png", title=summary, unit="nats per row", lines={})
        draw_overview(features, detections, threshold, run.figures / "alarms.png")
        for i, (one, detection) in enumerate(zip(features, detections, strict=True)):
            name = re.sub("[^A-Za-z0-9_-]", "-", one.series.name)
            draw_series(one, detection, threshold, run.figures / "series" / f"{i:02}-{name}.png")
        return {"model": summary, "published": known, **result}

    return Prepared(
        Task(params, loss, lambda i: training, dict.fromkeys(training), evaluate),
        finish, data=digests(config.series.csv or NAB),
        files={"scales.json": {one.series.name: dataclasses.asdict(one.scaling) for one in features},
               **({DIALECT: features[0].series.dialect.to_json()} if config.series.csv else {})},
        alone=alone,
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
    if config.series.csv:
        counts = sorted({one.training_rows for one in features})
        rows = " to ".join(f"{count:,}" for count in (counts[0], counts[-1])[: len(counts)])
        say(f"note: the first {rows} rows of a series were learned from, and give no alarm: --learn of training says "
            "how many they are")  # fmt: skip
    for name, value in {result["metric"]: result["value"], **result["scores"]}.items():
        print(f"{value:9.2f}  {name}")


def rehearse(trained: Trained, times: int = 3, score: Flags[AnomalyScoreConfig] = AnomalyScoreConfig()) -> None:  # noqa: B008
    """Print how well anomalies of our own are detected, put into the series of a run at random; reads no label.

    Args:
        trained: with a network for each series.
        times: how often anomalies are put into all series.
        score: options of the anomaly score, those of a new run if not given.
    """
    config, standard = dataclasses.replace(trained.config, score=score), PROFILES["standard"]
    one = config.series
    series = load_series(one.csv, one.column, one.table, one.by)
    found = []
    for seed in range(times):
        rng = np.random.default_rng(seed)
        changed = [with_anomalies(each, config.model.learn or probationary(len(each.values)), rng) for each in series]
        features = [SeriesFeatures.of(each, config.model.ahead, config.model.learn) for each in changed]
        detections = detect_all(config, trained.rebuild, trained.params, features)
        scored = [ScoredSeries(d.anomaly_score, s.windows) for d, s in zip(detections, changed, strict=True)]
        found.append(nab_score(scored, standard).score)
    print(f"{np.mean(found):9.2f}  NAB score of own anomalies, {times} times: {', '.join(f'{x:.2f}' for x in found)}")


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
    if by := trained.config.series.by:
        raise ValueError(f"the run has a network for each series in the column {by!r}: predict watches all of them")
    predictor = AnomalyDetectionPredictor(trained, series, column, silent, table=table)
    if len(predictor.series) > 1:
        several = "the run has learned several series, of which one is watched"
        raise ValueError(f"{several}: say --series, one of {predictor.known}")
    source = "standard input" if file == "-" else file
    with lines_of(file, source) as lines:
        rows = with_values(predictor.arranged(predictor.rows(lines, source), file))
        predictor.say_silent()
        print_lines(alarms(predictor.detector(predictor.series[0]), rows))
