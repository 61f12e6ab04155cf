"""The accuracy at lengths beyond those of training, in one number and as a table; what others have reached."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from experiments.common.synthetic import SampleStream, batch_indices
from experiments.common.synthetic_training import StepScores
from experiments.state_tracking.config import Config

DELETANG = "Delétang et al. 2023, arXiv:2207.02098"
GRAZZI = "Grazzi et al. 2025, arXiv:2411.12537"
TRANSFORMER = {"parity": 52.0, "even_pairs": 96.0, "cycle_navigation": 62.0, "modular_arithmetic": 24.0}
PARITY = {"sLSTM": 1.0, "mLSTM": 0.087, "Mamba [0, 1]": 0.0, "Mamba [-1, 1]": 1.0, "DeltaNet [-1, 1]": 1.0}


def mean_accuracy(config: Config, accuracies: Mapping[str, float]) -> float:
    """The mean over tasks of accuracies in %; or, scaled, of (a − g) / (100 − g), where g is that of a guess."""
    if not config.scaled:
        return float(np.mean(list(accuracies.values())))
    guessed = {name: 100 / task.classes for name, task in config.tasks.items()}
    return float(np.mean([(a - guessed[name]) / (100 - guessed[name]) for name, a in accuracies.items()]))


def published_results(config: Config) -> list[dict[str, Any]]:
    """What others have reached, in the same test."""
    known, source = {}, DELETANG
    if config.scaled:
        known, source = PARITY if (config.task, config.test_length) == ("parity", 256) else {}, GRAZZI
    elif config.test_length == 500 and set(config.tasks) <= set(TRANSFORMER):
        transformer = mean_accuracy(config, {name: TRANSFORMER[name] for name in config.tasks})
        known = {"RNN": 100.0, "LSTM": 100.0, "transformer": transformer}
    return [{"value": value, "who": who, "source": source} for who, value in known.items()]


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
