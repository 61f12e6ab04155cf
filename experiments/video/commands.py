"""The commands: train and others."""

import dataclasses
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.video.model import VideoSettings
from experiments.video.tasks import TASKS
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

NAME = "video"
SOURCE = "Fawaz et al. 2019, arXiv:1809.04356, on another split"
PUBLISHED = {"TWIESN": 79.4, "MLP": 78.0, "ResNet": 95.4, "FCN": 96.4}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(VideoSettings, HoldOutConfig):
    """Which task, and by which model."""

    hidden_size: int = 64
    embedding_size: int = 64
    dropout: float = 0.3
    averaging: float = 0.98
    steps: int = 1000
    evaluate_every: int = 100


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    task = TASKS[config.task](config, config.seed, config.steps_per_dispatch, config.hold_out)
    params, rebuild = functional(task.build(config, task.facts, key_for(config.seed, "init")))

    def loss(params, carry, batch, key):
        nats, count = task.loss(rebuild(params), batch, key)
        return nats / count, (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        result, examples = task.test(rebuild(outcome.params), run.figures)
        known = PUBLISHED if (config.task, config.data) == ("libras", "libras") else {}
        published = [{"value": value, "who": who, "source": SOURCE} for who, value in known.items()]
        rows = {"here": result["value"], **result["baseline"], **known}
        print(f"\n{config.task}, {result['metric']}\n" + "\n".join(f"  {v:7.3f}  {name}" for name, v in rows.items()))
        print(f"\nexamples: {run.path / 'sample.txt'}, {run.figures}")
        run.write_text("sample.txt", examples)
        unit = {"libras": "nats", "frames": "nats/frame", "captions": "nats/word"}[config.task]
        draw_curves(run.records(), run.figures / "curves.png", title=config.summary, unit=unit, lines={})
        return {"model": config.summary, "published": published, **result}

    return Prepared(
        Task(params, loss, task.batch, task.axes, task.validator(rebuild), (), task.monitor, task.higher_is_better),
        finish, data=task.digests, files={"video.json": task.facts},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a model of video, and score it on the test part."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path) -> tuple[Config, Any, dict[str, Any], Run]:
    """The best model of a run, and what it knows of its data."""
    opened, config = open_run(run, Config)
    facts = opened.read_json("video.json")
    params, rebuild = functional(TASKS[config.task].build(config, facts, key_for(config.seed, "init")))
    return config, rebuild(best_params(params, (), config, opened)), facts, opened


def evaluate(run: Positional[Path]) -> None:
    """Score a trained model on the test part of its data, with examples; draws the figures of the run again."""
    config, model, _, opened = trained(run)
    task = TASKS[config.task](config, config.seed, config.steps_per_dispatch, config.hold_out)
    result, examples = task.test(model, opened.figures)
    print(f"{examples}{result['metric']}: {result['value']:.3f}  {result['scores']}")


def watch(run: Positional[Path], file: Positional[Path]) -> None:
    """Print what a trained model says of tracks (.csv, .ts) or of a video (.gif); frames go on in a file beside it."""
    config, model, facts, _ = trained(run)
    for line in TASKS[config.task].watch(model, facts, file):
        print(line, flush=True)
