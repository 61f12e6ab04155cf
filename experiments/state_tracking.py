"""Can a network follow a finite automaton, and go on with it at lengths that it was never trained at?

    python -m experiments.state_tracking                            four regular tasks by an LSTM, minutes on one core
    python -m experiments.state_tracking --task s5                  parity, even_pairs, cycle_navigation,
                                                                    modular_arithmetic, dyck, s5, a5, listops
    python -m experiments.state_tracking --cell "deltanet(negative_eigenvalues=True)" --layers 2 --blocks
    python -m experiments.state_tracking --model transformer        a transformer of as many parameters
    python -m experiments.state_tracking probe RUN "1 0 1 1"        what it answers after each step of your sequence
    python -m experiments.state_tracking examples RUN               of test sequences
    python -m experiments.state_tracking evaluate RUN               or, after an interruption, resume RUN

Trained at lengths up to 40, validated up to 80, tested up to 500. The value is the accuracy at each length of the test
that is beyond those of training, averaged over these lengths, as in Delétang et al. 2023, arXiv:2207.02098; of
`regular`, the mean over four tasks, each with a model of its own.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command, run_commands
from rnn_jax.analysis.lengths import draw_lengths
from rnn_jax.cells.base import check_choice, check_size
from rnn_jax.data.generated import BATCH_AXES, REGULAR, STATE_TASKS, Generated, at_lengths, numbers, read_sequence
from rnn_jax.models import step_tasks
from rnn_jax.models.step_model import Networks, StepSettings
from rnn_jax.train import FitSettings, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves
from rnn_jax.typing import Params

NAME = "state_tracking"
DELETANG = "Delétang et al. 2023, arXiv:2207.02098"
GRAZZI = "Grazzi et al. 2025, arXiv:2411.12537"
TRANSFORMER = {"parity": 52.0, "even_pairs": 96.0, "cycle_navigation": 62.0, "modular_arithmetic": 24.0}
PARITY = {"sLSTM": 1.0, "mLSTM": 0.087, "Mamba [0, 1]": 0.0, "Mamba [-1, 1]": 1.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(StepSettings, FitSettings):
    """Which automaton, at which lengths, followed by which model."""

    task: str = "regular"
    """regular for four of them, or parity, even_pairs, cycle_navigation, modular_arithmetic, dyck, s5, a5, listops."""
    longest: int = 40
    """The greatest length in training; validation goes up to twice that."""
    test_length: int = 500
    """The greatest length in the test."""
    every_step: bool = True
    """Train the answer after every step; without, at the end of sequences whose lengths are drawn at random."""
    scaled: bool = False
    """Give the value as 0 for guessing to 1, instead of accuracy in %."""
    held_out: int = 512
    """Sequences for validation, and as many for the test."""
    batch_size: int = 128
    """Sequences in an update."""
    cell: str = "lstm"
    hidden_size: int = 64
    steps: int = 5000
    evaluate_every: int = 500
    steps_per_dispatch: int = 50
    learning_rate: float = 3e-3

    def __post_init__(self):
        check_choice("task", self.task, ("regular", *STATE_TASKS))
        for name in ("longest", "held_out", "batch_size"):
            check_size(name, getattr(self, name))
        if self.test_length <= self.longest:
            raise ValueError(f"test_length={self.test_length}: expected more than longest={self.longest}")
        super().__post_init__()

    @property
    def tasks(self) -> dict[str, Any]:
        """Tasks by their names."""
        return {name: STATE_TASKS[name] for name in (REGULAR if self.task == "regular" else (self.task,))}

    def streams(self, part: str, seed: int, first: int, last: int) -> dict[str, Generated]:
        """Sequences of each task for a part, of lengths from `first` to `last`."""
        one = part == "training" and not self.every_step
        return {n: at_lengths(t, key_for(seed, f"{n} {part}"), first, last, one) for n, t in self.tasks.items()}

    def value(self, accuracies: dict[str, float]) -> float:
        """The mean over tasks of accuracies in %, or scaled."""
        if not self.scaled:
            return float(np.mean(list(accuracies.values())))
        guessed = {name: 100 / task.classes for name, task in self.tasks.items()}
        return float(np.mean([(a - guessed[name]) / (100 - guessed[name]) for name, a in accuracies.items()]))

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
    loss = step_tasks.make_loss(rebuild, config.streams("training", config.seed, 1, longest))
    validate = step_tasks.make_scores(
        rebuild, config.streams("validation", 0, longest + 1, 2 * longest), config.held_out
    )

    def evaluate(params) -> dict[str, float]:
        losses, accuracies = zip(*(s.mean(longest) for s in validate(params).values()), strict=True)
        return {"validation_loss": float(np.mean(losses)), "validation_accuracy": float(np.mean(accuracies))}

    def finish(outcome: Outcome, run: Run) -> dict:
        test = config.streams("test", 0, longest + 1, length)
        scores = step_tasks.make_scores(rebuild, test, config.held_out)(outcome.params)
        accuracies = {name: s.mean(longest)[1] for name, s in scores.items()}
        commonest = {name: step_tasks.commonest(stream, config.held_out, longest) for name, stream in test.items()}
        title = f"{config.task}: {config.summary}"
        print(f"\n{title}\n{step_tasks.length_table(scores, longest, commonest)}\n")
        draw_lengths(
            {n: s.accuracies() for n, s in scores.items()},
            run.figures / "lengths.png",
            title=title,
            trained=longest,
            guessed=commonest,
        )
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="nats", lines={})
        shown = config.streams("examples", 0, longest, longest)
        run.write_text("sample.txt", text := step_tasks.examples(rebuild, outcome.params, shown, which=(0,)))
        print(f"{text}\nyour own sequence: python -m experiments.{NAME} probe {run.path} '1 0 1 1'")
        metric = "scaled accuracy" if config.scaled else "accuracy %"
        return {"model": config.summary, "metric": metric, "value": config.value(accuracies), "higher_is_better": True,
                "published": config.published, "baseline": {"commonest answer": config.value(commonest)},
                "scores": accuracies}  # fmt: skip

    task = Task(params, loss, lambda i: numbers(i, config.batch_size), BATCH_AXES, evaluate)
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
    streams = config.streams("test", 0, config.longest + 1, test_length or config.test_length)
    scores = step_tasks.make_scores(rebuild, streams, config.held_out)(params)
    print(step_tasks.length_table(scores, config.longest))


def examples(run: Positional[Path], length: int = 20, count: int = 3) -> None:
    """Print test sequences of one length with what is right and what the models answer."""
    config, rebuild, params = trained(run)
    print(step_tasks.examples(rebuild, params, config.streams("test", 0, length, length), which=range(count)), end="")


def probe(run: Positional[Path], sequence: Positional[str], task: str = "") -> None:
    """Print what a trained model answers after each step of a sequence of yours; of several tasks, of TASK."""
    config, rebuild, params = trained(run)
    name = task or next(iter(config.tasks))
    check_choice("task", name, tuple(config.tasks))
    inputs = read_sequence(sequence, config.tasks[name])
    print(step_tasks.describe_answers(step_tasks.answers(rebuild[name](params[name]), inputs), inputs))


if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, examples, probe)}, default="train")
