"""The commands: train and others."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.common import synthetic_training as step_tasks
from experiments.common.sequence_labeler import Networks
from experiments.common.synthetic import BATCH_AXES, numbered, read_sequence
from experiments.common.synthetic_config import MemorySettings
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves
from rnn_jax.typing import Params

NAME = "memory"
BAI = "Bai et al. 2018, arXiv:1803.01271"
PUBLISHED = {
    ("adding", 600): {"LSTM": 0.164, "GRU": 5.3e-5, "RNN": 0.177, "TCN": 5.8e-5},
    ("copy", 1000): {"LSTM": 0.0204, "GRU": 0.0197, "TCN": 3.5e-5},
}
METRICS = {"adding": "mean squared error", "copy": "nats/step"}
"""Of the loss; other tasks have accuracy in %."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(MemorySettings, FitConfig):
    """What is to be remembered for how long, and by which model."""

    cell: str = "gru(longest=600)"
    hidden_size: int = 64
    batch_size: int = 32
    steps: int = 6000
    evaluate_every: int = 250
    learning_rate: float = 3e-3


def test_scores(config: Config, rebuild: Networks, params: Params, length: int) -> dict[str, float]:
    """The metric at one length, and the accuracy in %, of copies that of their symbols, by their names."""
    streams = config.streams(key_for(0, "test data"), length)
    scores = step_tasks.make_scores(rebuild, streams, config.held_out)(params)[config.task]
    first = length + config.tasks["copy"].count if config.task == "copy" else 0  # all before are blanks
    named = {METRICS[config.task]: scores.mean()[0]} if config.task in METRICS else {}
    return named | {"accuracy %": scores.mean(first)[1]}


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    params, rebuild = config.networks(config.tasks, key_for(config.seed, "init"))
    loss = step_tasks.make_loss(rebuild, lambda key: config.streams(key, config.length))
    key = key_for(config.seed, "training data")
    held = config.streams(key_for(0, "validation data"), config.length)
    validate = step_tasks.make_scores(rebuild, held, config.held_out)

    def evaluate(params) -> dict[str, float]:
        return {"validation_loss": validate(params)[config.task].mean()[0]}

    def finish(outcome: Outcome, run: Run) -> dict:
        (metric, value), *more = test_scores(config, rebuild, outcome.params, config.length).items()
        twice = test_scores(config, rebuild, outcome.params, 2 * config.length)
        scores = dict(more) | {f"{name}, twice the length": score for name, score in twice.items()}
        baseline = {"remembering nothing": config.forgetful}
        known = PUBLISHED.get((config.task, config.length), {})
        title = f"{config.task} {config.length}: {config.summary}"
        rows = {metric: value} | scores | baseline | known
        print(f"\n{title}\n" + "\n".join(f"  {v:12.6f}  {name}" for name, v in rows.items()))
        lines = baseline if config.task in METRICS else {}
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit=METRICS.get(config.task, "nats"),
                    lines=lines)  # fmt: skip
        shown = config.streams(key_for(0, "test data"), config.length)
        run.write_text("sample.txt", text := step_tasks.examples(rebuild, outcome.params, shown))
        print(f"\n{text}\nmore: python -m experiments.{NAME} examples {run.path}")
        published = [{"value": v, "who": who, "source": BAI} for who, v in known.items()]
        return {"model": config.summary, "metric": metric, "value": value,
                "higher_is_better": config.task not in METRICS, "baseline": baseline, "published": published,
                "scores": scores}  # fmt: skip

    task = Task(params, loss, lambda i: numbered(i, config.batch_size, key), BATCH_AXES, evaluate)
    return Prepared(task, finish, data={})


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a model to remember, and test it at the length of training and at twice that."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path) -> tuple[Config, Networks, Params]:
    """The best model of a run."""
    opened, config = open_run(run, Config)
    params, rebuild = config.networks(config.tasks, key_for(config.seed, "init"))
    return config, rebuild, best_params(params, (), config, opened)


def evaluate(run: Positional[Path], length: int = 0) -> None:
    """Print the scores of a trained model in the test of its run, or at another length."""
    config, rebuild, params = trained(run)
    for name, value in test_scores(config, rebuild, params, length or config.length).items():
        print(f"{value:12.6f}  {name}")


def examples(run: Positional[Path], length: int = 0, count: int = 3) -> None:
    """Print test sequences with what is right and what the model answers."""
    config, rebuild, params = trained(run)
    streams = config.streams(key_for(0, "test data"), length or config.length)
    print(step_tasks.examples(rebuild, params, streams, which=range(count)), end="")


def probe(run: Positional[Path], sequence: Positional[str]) -> None:
    """Print what a trained model answers to a sequence of yours: tokens, or steps of a number and a mark, "0.3,1"."""
    config, rebuild, params = trained(run)
    inputs = read_sequence(sequence, config.tasks[config.task])
    model = rebuild[config.task](params[config.task])
    print(step_tasks.describe_answers(step_tasks.answers(model, inputs), inputs))
