"""The commands: train and others."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.common import synthetic_training as step_tasks
from experiments.common.sequence_labeler import Networks
from experiments.common.synthetic import BATCH_AXES, numbered, read_sequence
from experiments.common.synthetic_config import StateSettings
from experiments.state_tracking.figures import draw_lengths
from rnn_jax.checks import check_choice
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves
from rnn_jax.typing import Params

NAME = "state_tracking"
DELETANG = "Delétang et al. 2023, arXiv:2207.02098"
GRAZZI = "Grazzi et al. 2025, arXiv:2411.12537"
TRANSFORMER = {"parity": 52.0, "even_pairs": 96.0, "cycle_navigation": 62.0, "modular_arithmetic": 24.0}
PARITY = {"sLSTM": 1.0, "mLSTM": 0.087, "Mamba [0, 1]": 0.0, "Mamba [-1, 1]": 1.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(StateSettings, FitConfig):
    """Which automaton, at which lengths, followed by which model."""

    cell: str = "lstm"
    hidden_size: int = 128
    heads: int = 2
    batch_size: int = 32
    steps: int = 20_000
    evaluate_every: int = 500
    steps_per_dispatch: int = 50
    learning_rate: float = 2e-3

    @property
    def published(self) -> list[dict[str, Any]]:
        """What others have reached, in the same test."""
        known, source = {}, DELETANG
        if self.scaled:
            known, source = PARITY if (self.task, self.test_length) == ("parity", 256) else {}, GRAZZI
        elif self.test_length == 500 and set(self.tasks) <= set(TRANSFORMER):
            known = {"RNN": 100.0, "LSTM": 100.0, "transformer": self.value({n: TRANSFORMER[n] for n in self.tasks})}
        return [{"value": value, "who": who, "source": source} for who, value in known.items()]


def prepare(config: Config) -> Prepared:
    """Data, models and losses of a run."""
    longest, length = config.longest, config.test_length
    params, rebuild = config.networks(config.tasks, key_for(config.seed, "init"))
    loss = step_tasks.make_loss(rebuild, config.training)
    key = key_for(config.seed, "training data")
    held = config.streams(key_for(0, "validation data"), longest + 1, 2 * longest)
    validate = step_tasks.make_scores(rebuild, held, config.held_out)

    def evaluate(params) -> dict[str, float]:
        losses, accuracies = zip(*(s.mean(longest) for s in validate(params).values()), strict=True)
        return {"validation_loss": float(np.mean(losses)), "validation_accuracy": float(np.mean(accuracies))}

    def finish(outcome: Outcome, run: Run) -> dict:
        test = config.streams(key_for(0, "test data"), longest + 1, length)
        scores = step_tasks.make_scores(rebuild, test, config.held_out)(outcome.params)
        accuracies = {name: s.mean(longest)[1] for name, s in scores.items()}
        commonest = {name: step_tasks.commonest(stream, config.held_out, longest) for name, stream in test.items()}
        title = f"{config.task}: {config.summary}"
        print(f"\n{title}\n{step_tasks.length_table(scores, longest, commonest)}\n")
        curves = {name: s.accuracies() for name, s in scores.items()}
        draw_lengths(curves, run.figures / "lengths.png", title=title, trained=longest, guessed=commonest)
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="nats", lines={})
        shown = config.streams(key_for(0, "test data"), longest, longest)
        run.write_text("sample.txt", text := step_tasks.examples(rebuild, outcome.params, shown, which=(0,)))
        print(f"{text}\nyour own sequence: python -m experiments.{NAME} probe {run.path} '1 0 1 1'")
        metric = "scaled accuracy" if config.scaled else "accuracy %"
        return {"model": config.summary, "metric": metric, "value": config.value(accuracies), "higher_is_better": True,
                "published": config.published, "baseline": {"commonest answer": config.value(commonest)},
                "scores": accuracies}  # fmt: skip

    task = Task(params, loss, lambda i: numbered(i, config.batch_size, key), BATCH_AXES, evaluate)
    return Prepared(task, finish, data={})


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a model for each task, and test it at lengths beyond those of training."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path) -> tuple[Config, Networks, Params]:
    """The best models of a run."""
    opened, config = open_run(run, Config)
    params, rebuild = config.networks(config.tasks, key_for(config.seed, "init"))
    return config, rebuild, best_params(params, (), config, opened)


def evaluate(run: Positional[Path], test_length: int = 0) -> None:
    """Print the accuracies of trained models in the test of their run, or up to another length."""
    config, rebuild, params = trained(run)
    config = dataclasses.replace(config, test_length=test_length or config.test_length)
    streams = config.streams(key_for(0, "test data"), config.longest + 1, config.test_length)
    scores = step_tasks.make_scores(rebuild, streams, config.held_out)(params)
    print(step_tasks.length_table(scores, config.longest))


def examples(run: Positional[Path], length: int = 20, count: int = 3) -> None:
    """Print test sequences of one length with what is right and what the models answer."""
    config, rebuild, params = trained(run)
    streams = config.streams(key_for(0, "test data"), length, length)
    print(step_tasks.examples(rebuild, params, streams, which=range(count)), end="")


def probe(run: Positional[Path], sequence: Positional[str], task: str = "") -> None:
    """Print what a trained model answers after each step of a sequence of yours; of several tasks, of TASK."""
    config, rebuild, params = trained(run)
    name = task or next(iter(config.tasks))
    check_choice("task", name, tuple(config.tasks))
    inputs = read_sequence(sequence, config.tasks[name])
    print(step_tasks.describe_answers(step_tasks.answers(rebuild[name](params[name]), inputs), inputs))
