"""Train a model to remember, score it at other lengths, and show what it answers."""

from experiments.common.synthetic import BATCH_AXES, index_batch
from experiments.common.synthetic_training import describe_examples, make_loss, make_scores
from experiments.memory.config import Config
from experiments.memory.online import windowed_loss
from experiments.memory.scores import METRICS, memoryless_score, scores_at_length
from experiments.published import published, values_of
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, command_on, key_for
from rnn_jax.train.console import rounded
from rnn_jax.train.figures import draw_curves


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    params, rebuild = config.model.labelers(config.tasks, key_for(config.fit.seed, "init"))
    loss = make_loss(rebuild, lambda key: config.streams(key, config.length))
    if config.window is not None:
        loss = windowed_loss(config, params, rebuild)
    key = key_for(config.fit.seed, "training data")
    held_out = config.streams(key_for(0, "validation data"), config.length)
    validate = make_scores(rebuild, held_out, config.held_out)

    def evaluate(params) -> dict[str, float]:
        return {"validation_loss": validate(params)[config.task].mean()[0]}

    def finish(outcome: Outcome, run: Run) -> dict:
        (metric, value), *more = scores_at_length(config, rebuild, outcome.params, config.length).items()
        twice = scores_at_length(config, rebuild, outcome.params, 2 * config.length)
        scores = dict(more) | {f"{name}, twice the length": score for name, score in twice.items()}
        baseline = {"remembering nothing": memoryless_score(config)}
        known = published(f"memory/{config.task}-{config.length}")
        rows = {metric: value} | scores | baseline | values_of(known)
        print(f"\n{config.title}\n" + "\n".join(f"  {rounded(v):>10}  {name}" for name, v in rows.items()))
        lines, unit = baseline if config.task in METRICS else {}, METRICS.get(config.task, "nats")
        draw_curves(run.records(), run.figures / "curves.png", title=config.title, unit=unit, lines=lines)
        streams = config.streams(key_for(0, "test data"), config.length)
        run.write_text("sample.txt", text := describe_examples(rebuild(outcome.params), streams))
        print(f"\n{text}\nmore: {command_on('experiments.memory', run, 'examples RUN')}")
        return {"model": config.model.summary, "metric": metric, "value": value,
                "higher_is_better": config.task not in METRICS, "baseline": baseline, "published": known,
                "scores": scores}  # fmt: skip

    task = Task(params, loss, lambda i: index_batch(i, config.batch_size, key), BATCH_AXES, evaluate)
    return Prepared(task, finish, data={})


def restore(run: Run, config: Config) -> Trained:
    """The best model of a run, in a dict by the name of its task."""
    return Trained.best(run, config, *config.model.labelers(config.tasks, key_for(config.fit.seed, "init")))


def evaluate(trained: Trained, length: int | None = None) -> None:
    """Print the scores of a trained model in the test of its run, or at another length."""
    config = trained.config
    length = config.length if length is None else length
    for name, value in scores_at_length(config, trained.rebuild, trained.params, length).items():
        print(f"{rounded(value):>10}  {name}")


def examples(trained: Trained, length: int | None = None, count: int = 3) -> None:
    """Print test sequences with what is right and what the model answers."""
    length = trained.config.length if length is None else length
    streams = trained.config.streams(key_for(0, "test data"), length)
    print(describe_examples(trained.model, streams, which=range(count)), end="")
