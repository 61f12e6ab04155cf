"""The accuracy at lengths beyond those of training, in one number and as a table; what others have reached."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from experiments.common.synthetic import SampleStream, batch_indices
from experiments.common.synthetic_training import StepScores
from experiments.published import published
from experiments.state_tracking.config import Config


def mean_accuracy(config: Config, accuracies: Mapping[str, float]) -> float:
    """The mean over tasks of accuracies in %; or, scaled, of (a − g) / (100 − g), where g is that of a guess."""
    if not config.scaled:
        return float(np.mean(list(accuracies.values())))
    guessed = {name: 100 / task.classes for name, task in config.tasks.items()}
    return float(np.mean([(a - guessed[name]) / (100 - guessed[name]) for name, a in accuracies.items()]))


def published_results(config: Config) -> list[dict[str, Any]]:
    """What others have reached, in the same test."""
    if config.scaled:
        return published(f"state_tracking/{config.task}-{config.test_length}")
    return published(f"state_tracking/chomsky-{config.task}") if config.test_length == 500 else []


def majority_accuracy(stream: SampleStream, count: int, begin: int = 0) -> float:
    """The accuracy in % of always predicting the commonest class, in the steps from `begin` on."""
    sample = jax.device_get(jax.jit(stream)(batch_indices(0, count)))
    targets = sample.targets[begin:][sample.mask[begin:]]
    return float(100 * np.bincount(targets).max() / len(targets))


def length_table(scores: Mapping[str, StepScores], trained: int, majority: Mapping[str, float] | None = None) -> str:
    """Accuracies in lines: within the lengths of training, beyond them, at the last one, and of the commonest answer.

    Args:
        scores: by the names of the tasks.
        trained: the greatest length in training.
        majority: the accuracies of the commonest answer beyond, in %.
    """
    longest = max(max(s.accuracies()) for s in scores.values())
    lines = [
        f"accuracy, %            to {trained:4d}  {trained + 1:4d} to {longest:4d}    at the end  commonest answer"
    ]
    for name, s in scores.items():
        curve = s.accuracies()
        within = [a for length, a in curve.items() if length <= trained]
        values = [np.mean(within) if within else np.nan, s.mean(trained)[1], curve[max(curve)]]
        values += [majority[name]] if majority else []
        lines.append(
            f"{name:20s}"
            + "".join(f"{value:{width}.2f}" for value, width in zip(values, (10, 14, 14, 18), strict=False))
        )
    return "\n".join(lines)
