"""What a trained model answers to sequences of one's own."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.common.prediction import Record
from experiments.common.sequence_answers import Answered, SequencePredictor
from experiments.memory.scores import METRICS
from rnn_jax.train import Trained


class MemoryPredictor(SequencePredictor):
    """What is remembered of sequences."""

    def __init__(self, trained: Trained):
        super().__init__(trained, trained.config.task, from_end=True)

    def measures(self, labels: Sequence[Answered], records: Sequence[Record]) -> dict[str, Any]:
        """The metric of the task, and accuracy, of copies that of their symbols."""
        scores = self.step_scores(labels, records)
        begin = max(0, len(scores.count) - self.task.count) if self.name == "copy" else 0  # all before are blanks
        loss = {METRICS.get(self.name, "nats"): scores.mean()[0]}
        return {"answers": int(np.sum(scores.count)), **loss, "accuracy %": scores.mean(begin)[1]}
