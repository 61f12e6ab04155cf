"""The scores that people of a field read, of answers to new data whose labels are known."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.common.prediction import Record
from rnn_jax.metrics import balanced_accuracy, classification_scores, macro_f1


def classification_measures(classes: Sequence[str], labels: Sequence[str], records: Sequence[Record]) -> dict[str, Any]:
    """Accuracy, balanced accuracy, F1, and which classes are taken for which, of `class_record`s."""
    places = {name: k for k, name in enumerate(classes)}
    target = np.array([places[label] for label in labels])
    probabilities = np.array([[record["probabilities"][name] for name in classes] for record in records])
    scores = classification_scores(probabilities, target)
    counts = scores["confusion"]
    table = {f"true {name}": dict(zip(classes, row, strict=True)) for name, row in zip(classes, counts, strict=True)}
    return {
        "accuracy %": scores["accuracy"],
        "balanced accuracy %": 100 * balanced_accuracy(counts),
        "macro F1 %": 100 * macro_f1(counts),
        "nats": scores["nats"],
        "confusion, predicted in columns": table,
    }
