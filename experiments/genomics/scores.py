"""How well the models of all folds classify what they have not seen, what that rests on, and examples in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.genomics.cross_validation import FoldModels
from experiments.genomics.folds import Folds, by_example
from rnn_jax.metrics import classification_scores
from rnn_jax.typing import Params


def cross_validated(
    models: FoldModels, params: Params, folds: Folds, labels: np.ndarray
) -> tuple[dict[str, Any], np.ndarray]:
    """Scores of models on their test folds, and p(class) `[N, C]` of all sequences.

    The accuracy is the mean of those on the folds, which are in `folds`; `errors` has the % of each class gone wrong.
    """
    probabilities = by_example(models.probabilities(params, folds.test), folds.test)
    right = 100.0 * (probabilities.argmax(axis=1) == labels)
    by_fold = [float(right[folds.fold == k].mean()) for k in range(folds.count)]
    errors = [100 - float(right[labels == label].mean()) for label in range(probabilities.shape[1])]
    scores = classification_scores(probabilities, labels) | {"folds": by_fold, "errors": errors}
    return scores | {"accuracy": float(np.mean(by_fold))}, probabilities


def class_contributions(
    models: FoldModels, params: Params, folds: Folds, labels: np.ndarray, classes: Sequence[str], most: int = 20
) -> dict[str, np.ndarray]:
    """What each base at each place adds to the log-odds of a class: class -> the mean over its sequences, `[T, 4]`.

    Each model is given sequences of its test fold, the first of each class, up to `most` of them.
    """
    means = {}
    for label, name in enumerate(classes):
        of_class = [row[(row >= 0) & (labels[row] == label)] for row in folds.test]
        count = min(most, *(len(row) for row in of_class))
        rows = np.stack([row[:count] for row in of_class])
        means[name] = models.contributions(params, rows, np.full(rows.shape, label)).mean(axis=(0, 1))
    return means


def classification_lines(
    models: FoldModels, params: Params, count: int, classes: Sequence[str], texts: Sequence[str], places: int = 4
) -> list[str]:
    """Class, probability and strongest places of all sequences, in lines; the mean over `count` models.

    Args:
        models: with the sequences.
        params: of the models.
        count: how many models there are.
        classes: their names.
        texts: the sequences as text.
        places: how many are named, from the first to the last; only those that speak for the class.
    """
    rows = np.tile(np.arange(len(texts)), (count, 1))
    probabilities = models.probabilities(params, rows).mean(axis=0)
    labels = np.tile(probabilities.argmax(axis=1), (count, 1))
    weights = models.contributions(params, rows, labels).mean(axis=0).sum(axis=-1)  # [M, T]
    lines = []
    for text, row, weight in zip(texts, probabilities, weights, strict=True):
        strongest = sorted(i for i in weight.argsort()[-places:] if weight[i] > 0 and i < len(text))
        named = " ".join(f"{text[i]}{i + 1}" for i in strongest)
        lines.append(f"{classes[row.argmax()]}  {row.max():.3f}  {named}")
    return lines


def examples_text(texts: Sequence[str], labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> str:
    """Sequences that were taken for another class, the most confident first, and some that were not, in lines."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    order = np.lexsort((-confidence, predicted == labels))
    wrong = int((predicted != labels).sum())
    lines = [
        f"{'right' if predicted[i] == labels[i] else 'WRONG'}  is {classes[labels[i]]}  taken for "
        f"{classes[predicted[i]]} {confidence[i]:.3f}  {texts[i]}"
        for i in [*order[: min(wrong, 20)], *order[wrong::97][:15]]
    ]
    return "\n".join([f"{wrong} of {len(labels)} wrong", *lines]) + "\n"
