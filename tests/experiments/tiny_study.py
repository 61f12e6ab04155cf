"""An experiment that trains in a moment: a line through noisy points, with a curve as an option; as a user's module.

A run as a program, `python -m tests.experiments.tiny_study --study FOLDER`, is the study that is killed.
"""

import dataclasses
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.train import Experiment, FitConfig, Outcome, Prepared, Run, Task, Trained, key_for


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(FitConfig):
    """Which function is fitted."""

    degree: int = 1
    curve: bool = False
    scale: float = 1.0
    shapes: str = "same"
    data: Path | None = None
    steps: int = 8
    steps_per_dispatch: int = 2
    evaluate_every: int = 4
    warmup_steps: int = 1
    learning_rate: float = 0.1
    cpu_devices: int = 1

    def __post_init__(self):
        super().__post_init__()
        if self.degree < 1:
            raise ValueError(f"degree={self.degree}: expected at least 1")


def prepare(config: Config) -> Prepared:
    if config.degree == 13:
        raise ValueError("degree=13 brings bad luck")
    powers = np.arange(config.degree + 1, dtype=np.float32)

    def batch(i):
        rng = np.random.default_rng([config.seed, i])
        count = 4 if config.shapes == "same" else 4 + 4 * (config.seed % 2)
        x = rng.normal(size=(count,)).astype(np.float32)
        return {"x": x[:, None] ** powers[None], "y": config.scale * x + rng.normal(size=count).astype(np.float32)}

    def loss(params, carry, batch, key):
        return jnp.mean((batch["x"] @ params["w"] - batch["y"]) ** 2), (carry, {})

    held_out = batch(10**6)

    def evaluate(params):
        return {"validation_loss": float(np.mean((held_out["x"] @ np.asarray(params["w"]) - held_out["y"]) ** 2))}

    def finish(outcome: Outcome, run: Run):
        return {"model": "line", "metric": "error", "value": outcome.progress.best, "higher_is_better": False,
                "baseline": {}, "published": []}  # fmt: skip

    return Prepared(Task(initial(config), loss, batch, {"x": 0, "y": 0}, evaluate), finish, data={})


def initial(config: Config):
    return {"w": jax.random.normal(key_for(config.seed, "init"), (config.degree + 1,))}


def restore(run: Run, config: Config) -> Trained:
    return Trained.best(run, config, initial(config), lambda params: params)


def evaluate(trained: Trained) -> None:
    """Print the weights."""
    print(trained.model["w"].tolist())


EXPERIMENT = Experiment(__name__, Config, prepare, restore, commands=(evaluate,))

if __name__ == "__main__":
    from experiments.ablate import ablate  # of a checkout, not of an installed package
    from experiments.cli import run_command

    run_command(ablate, ["tests.experiments.tiny_study", *sys.argv[1:]])
