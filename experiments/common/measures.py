"""The scores that people of a field read, of answers to new data whose labels are known."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.common.prediction import Record
from rnn_jax.metrics import balanced_accuracy, classification_scores, macro_f1, word_error_rate


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


def transcription_measures(
    targets: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]], what: str = "word"
) -> dict[str, Any]:
    """Word and character error rate, whole transcripts that are right, and which errors there are; by jiwer.

    Args:
        targets: the words of each input, at least one.
        predictions: those that were recognised.
        what: a word is called.
    """
    import jiwer

    said, heard = ([" ".join(words) for words in texts] for texts in (targets, predictions))
    counts = jiwer.process_words(said, heard)
    right = sum(tuple(a) == tuple(b) for a, b in zip(targets, predictions, strict=True))
    return {
        f"{what} error rate %": 100 * word_error_rate(targets, predictions),
        "character error rate %": 100 * float(jiwer.cer(said, heard)),
        "all right %": 100 * right / len(targets),
        f"{what}s": sum(map(len, targets)),
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }
