"""Train a network that predicts the RUL, and score it on test engines."""

import sys
from collections.abc import Mapping, Sequence

import jax

from experiments.predictive_maintenance.baselines import ridge_errors
from experiments.predictive_maintenance.config import Config
from experiments.predictive_maintenance.data import (
    SENSORS,
    Engine,
    engine_files,
    hold_out_engines,
    load_engines,
)
from experiments.predictive_maintenance.features import BATCH_AXES, EngineBatches, SensorScaling, engine_batch
from experiments.predictive_maintenance.figures import draw_engines, draw_final_predictions
from experiments.predictive_maintenance.model import make_predict, rul_loss, stretch_of
from experiments.predictive_maintenance.scores import (
    SHORTEST,
    UNCAPPED,
    prediction_line,
    rul_scores,
    spread_by_error,
    truncation_errors,
    uncapped_line,
)
from experiments.published import published, values_of
from rnn_jax.data import DataError
from rnn_jax.data.sources import file_digest
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, key_for
from rnn_jax.train.figures import draw_curves


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    data, subset, cap, summary = config.engines.data, config.engines.subset, config.engines.cap, config.model.summary
    engines, test, names = load_engines(data, subset, config.engines.columns)
    training, validation = hold_out_engines(engines)
    hold_out = config.fit.hold_out
    training = training if hold_out else engines
    scaling = SensorScaling.fit(training, names)
    say_engines({"training": training} | ({"validation": validation} if hold_out else {}) | {"test": test}, scaling)
    params, rebuild = functional(config.model.build(len(scaling.sensors), key_for(config.fit.seed, "init")))
    batches = EngineBatches(training, scaling, cap, config.engines.batch_size, config.fit.seed)
    title = f"{config.engines.title}: {summary}"
    held_out, predict = engine_batch(validation, scaling, cap), make_predict(rebuild, validation, scaling, cap)
    beta, noise = config.model.beta, config.model.noise
    validation_loss = jax.jit(lambda params: rul_loss(rebuild(params), held_out, beta=beta))

    def loss(params, carry, batch, key):
        nats, count = rul_loss(rebuild(params), batch, beta=beta, noise=noise, key=key)
        return nats / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        nats, count = validation_loss(params)
        errors = truncation_errors(validation, predict(params), cap)
        return {"validation_loss": float(nats / count), "validation_rmse": errors.rmse}

    def finish(outcome: Outcome, run: Run) -> dict:
        stretch, held = 1.0, {}  # with all engines trained on there is nothing to calibrate intervals by
        if hold_out:
            errors = truncation_errors(validation, predict(outcome.params), cap)
            stretch, held = errors.stretch, {"validation rmse": errors.rmse, "stretch": errors.stretch}
        run.write_json("stretch.json", {"stretch": stretch})
        predictions = make_predict(rebuild, test, scaling, cap, stretch)(outcome.params)
        scores = rul_scores(test, predictions, cap) | held
        baseline = ridge_errors(training, test, scaling, cap)
        known = published(f"predictive_maintenance/cmapss-{subset.lower()}") if (cap, data) == (125, "") else []
        metric = f"RMSE, cycles, RUL capped at {cap}"
        rows = {summary: scores["rmse"], f"{summary}, RUL not capped": scores[UNCAPPED], **baseline, **values_of(known)}
        for head, table in ((f"\ntest {metric}, {title}", rows), ("further scores", scores)):
            print(head, *(f"  {value:8.2f}  {name}" for name, value in table.items()), sep="\n")
        chosen = spread_by_error(test, predictions, cap)
        some, theirs = [test[i] for i in chosen], [predictions[i] for i in chosen]
        lines = [f"{prediction_line(e, p, cap)}; true {e.final_rul}\n" for e, p in zip(some, theirs, strict=True)]
        lines.append(uncapped_line(scores, cap))
        run.write_text("sample.txt", text := "".join(lines))
        print(f"\n{text}")
        draw_engines(some, theirs, cap, run.figures / "engines.png", f"{title}; from the best predicted engine on")
        draw_final_predictions(test, predictions, cap, run.figures / "test.png", title)
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="weighted nats per cycle", lines={})
        return {"model": summary, "metric": metric, "value": scores["rmse"], "higher_is_better": False,
                "baseline": baseline, "published": known, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, evaluate, monitor="validation_rmse"), finish,
        data={path.name: file_digest(path) for path in engine_files(data, subset)},
        files={"scale.json": scaling.to_json()},
    )  # fmt: skip


def say_engines(parts: Mapping[str, Sequence[Engine]], scaling: SensorScaling) -> None:
    """Say what was read, and what is odd about it.

    Args:
        parts: training, validation where there is such a part, and test.
        scaling: of the training engines.

    Raises:
        DataError: an engine for validation or test flies as none for training does, or none for validation has lived
            long enough to be cut off.
    """
    counts = [f"{len(engines):,} for {part} ({sum(map(len, engines)):,} rows)" for part, engines in parts.items()]
    lives = [len(engine) for part, engines in parts.items() if part != "test" for engine in engines]
    lines = [
        f"engines: {', '.join(counts)}",
        f"cycles to the failure: {min(lives)} to {max(lives)}",
        f"{len(scaling.sensors)} of {len(scaling.names) or SENSORS} sensors vary; {len(scaling.conditions)} operating "
        "conditions",
    ]
    if validation := parts.get("validation"):
        scaling.far_sensors(validation)
        if max(map(len, validation)) < SHORTEST:
            raise DataError(f"no engine for validation has {SHORTEST} cycles: expected longer histories")
    notes = [f"note: {note}" for note in scaling.far_sensors(parts["test"])]
    print("\n".join([*lines, *notes]), file=sys.stderr)


def restore(run: Run, config: Config) -> Trained:
    """The best model of a run; the sensors that it reads are scaled as in training."""
    scaling = SensorScaling(**run.read_json("scale.json"))
    model = config.model.build(len(scaling.sensors), key_for(config.fit.seed, "init"))
    return Trained.best(run, config, *functional(model), preprocessor=scaling)


def evaluate(trained: Trained) -> None:
    """Print the scores of a trained model on its test engines."""
    known, stretch = trained.config.engines, stretch_of(trained)
    test = load_engines(known.data, known.subset, known.columns)[1]
    predict = make_predict(trained.rebuild, test, trained.preprocessor, known.cap, stretch)
    for name, value in rul_scores(test, predict(trained.params), known.cap).items():
        print(f"{value:10.2f}  {name}")
