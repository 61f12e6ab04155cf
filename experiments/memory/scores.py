"""What a task is measured by, and what is reached without a memory."""

import math

from experiments.common.sequence_labeler import Labelers
from experiments.common.synthetic_training import make_scores
from experiments.memory.config import Config
from experiments.memory.data import TASKS
from rnn_jax.train import key_for
from rnn_jax.typing import Params

METRICS = {"adding": "mean squared error", "copy": "nats/step"}
"""Of the loss; other tasks have accuracy in %."""


def scores_at_length(config: Config, rebuild: Labelers, params: Params, length: int) -> dict[str, float]:
    """The metric at one length, and the accuracy in %, of copies that of their symbols, by their names."""
    streams = config.streams(key_for(0, "test data"), length)
    scores = make_scores(rebuild, streams, config.held_out)(params)[config.task]
    begin = length + TASKS["copy"].count if config.task == "copy" else 0  # all before are blanks
    metric = {METRICS[config.task]: scores.mean()[0]} if config.task in METRICS else {}
    return metric | {"accuracy %": scores.mean(begin)[1]}


def memoryless_score(config: Config) -> float:
    """What a model that remembers nothing reaches: mean squared error, nats a step, or accuracy in %."""
    task = TASKS[config.task]
    if config.task == "adding":
        return 1 / 6
    if config.task == "copy":
        return task.count * math.log(task.symbols) / (config.length + 2 * task.count)
    return 100 / (task.symbols if config.task == "selective_copy" else task.values)
