"""Scores as text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any


def classification_table(
    scores: Mapping[str, Any], classes: Sequence[str], others: Mapping[str, float] | None = None
) -> str:
    """The scores of `rnn_jax.metrics.classification_scores` in lines, the accuracy beside those of other models.

    Args:
        scores: of the model; the confusion matrix is written out, a row for each label.
        classes: their names.
        others: the accuracy of other models by their names, in %.
    """
    rows = [f"{scores['accuracy']:7.2f}  accuracy, %"]
    rows += [f"{value:7.2f}  accuracy of {name}" for name, value in (others or {}).items()]
    rows += [f"{scores['nats']:7.3f}  nats", f"{scores['calibration error']:7.3f}  expected calibration error"]
    width = max(7, *(len(name) for name in classes))
    rows.append(" ".join(f"{name:>{width}}" for name in ("", *classes)) + "   as the model has it")
    for name, counts in zip(classes, scores["confusion"], strict=True):
        rows.append(" ".join(f"{cell:>{width}}" for cell in (name, *counts)))
    return "\n".join(rows)
