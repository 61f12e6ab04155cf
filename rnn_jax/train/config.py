"""How long and how to train: a part of the config of every experiment."""

import dataclasses
from typing import Any, Literal

from rnn_jax.checks import check_choice, check_size
from rnn_jax.train.optimizer import OptimizerConfig
from rnn_jax.train.seeds import check_seed


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitConfig(OptimizerConfig):
    """How long and how to train.

    Raises:
        ValueError: a value is out of range, or `evaluate_every` is not a multiple of `steps_per_dispatch`.
    """

    seed: int = 0
    """Of everything random: initial values, dropout, batches."""
    steps: int = 1000
    """Updates."""
    steps_per_dispatch: int = 10
    """Updates in one call of the compiled program."""
    evaluate_every: int = 100
    """Updates between two evaluations; each one is followed by a checkpoint."""
    patience: int = 0
    """Stop after so many evaluations without a better one; 0 never does."""
    method: Literal["auto", "sequential"] = "auto"
    """How gated cells go through time on a single CPU device: by fused loops where these are faster, or step by step.
    The two differ by rounding."""
    cpu_devices: int = 2
    """On a CPU, the parts of a batch that cores work on side by side; batch_size is a multiple of it. The environment
    variable JAX_NUM_CPU_DEVICES goes before it."""

    def __post_init__(self):
        super().__post_init__()
        check_seed(self.seed)
        check_choice("method", self.method, ("auto", "sequential"))
        for name in ("steps", "steps_per_dispatch", "evaluate_every", "cpu_devices"):
            check_size(name, getattr(self, name))
        if self.patience < 0:
            raise ValueError(f"patience={self.patience}: expected 0 (never stop early) or more")
        if self.evaluate_every % self.steps_per_dispatch:
            raise ValueError(
                f"evaluate_every={self.evaluate_every}: expected a multiple of "
                f"steps_per_dispatch={self.steps_per_dispatch}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class HoldOutConfig(FitConfig):
    """Training with or without a validation part of its own.

    Raises:
        ValueError: nothing is held out, and yet an update is to be chosen.
    """

    hold_out: bool = True
    """Keep the validation part apart; without, train on it too, by settings chosen before, and take the last update."""

    def __post_init__(self):
        super().__post_init__()
        if not self.hold_out and self.evaluate_every < self.steps:
            raise ValueError(f"hold_out=False leaves nothing to choose an update by: use evaluate_every={self.steps}")


def fit_config(config: Any) -> FitConfig:
    """How a config says to train: its part `fit`, or the config itself where it is a `FitConfig`.

    Raises:
        TypeError: it has neither.
    """
    found = config if isinstance(config, FitConfig) else getattr(config, "fit", None)
    if not isinstance(found, FitConfig):
        raise TypeError(f"{type(config).__name__} has no part fit, a FitConfig, nor is it one")
    return found
