"""What trained models answer to sequences of one's own, and how they fare beyond the lengths of training."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.common.prediction import Record
from experiments.common.sequence_answers import Answered, SequencePredictor
from rnn_jax.checks import check_choice
from rnn_jax.train import Trained


class StatePredictor(SequencePredictor):
    """The state after sequences of tokens."""

    def __init__(self, trained: Trained, task: str = ""):
        """The model of one task.

        Args:
            trained: the models.
            task: whose model answers; of several tasks, the first by default.

        Raises:
            ValueError: the run has no such task.
        """
        tasks = tuple(trained.config.tasks)
        check_choice("task", task or tasks[0], tasks)
        super().__init__(trained, task or tasks[0])

    def measures(self, labels: Sequence[Answered], records: Sequence[Record]) -> dict[str, Any]:
        """The mean over the lengths of the accuracy at each, of all and of those beyond the lengths of training."""
        scores, longest = self.step_scores(labels, records), self.trained.config.longest
        nats, accuracy = scores.mean()
        beyond = {}
        if np.asarray(scores.count)[longest:].any():
            beyond = {f"accuracy beyond {longest} steps %": scores.mean(longest)[1]}
        return {"answers": int(np.sum(scores.count)), "accuracy %": accuracy, **beyond, "nats": nats}
