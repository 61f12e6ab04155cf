"""What the classifiers are measured against: naive Bayes over the same folds, and the literature."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.common.naive_bayes import naive_bayes
from experiments.genomics.data import CODES, Sequences
from experiments.genomics.folds import Folds

KBANN = {"N": 4.62, "EI": 7.56, "IE": 8.47}
"""Errors on the splice junctions by class, in %: Noordewier et al. 1991, NIPS 3."""


def kbann_result(labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """The accuracy that KBANN has on splice junctions with these labels, for `result.json`."""
    accuracy = round(float(np.mean([100 - KBANN[classes[k]] for k in labels])), 2)
    return {"value": accuracy, "who": "KBANN", "source": "Noordewier et al. 1991, NIPS 3"}


def bayes_accuracy(sequences: Sequences, labels: np.ndarray, folds: Folds) -> float:
    """The % right by naive Bayes over the nucleotide at each place, the mean over folds."""
    codes, letters = sequences.codes[0], len(CODES) + 1
    length = len(codes)
    tokens = (codes + letters * np.arange(length)[:, None]).T
    tokens = [row[:n] for row, n in zip(tokens, sequences.lengths, strict=True)]
    accuracies = []
    for k in range(folds.count):
        test, train = np.flatnonzero(folds.fold == k), np.flatnonzero(folds.fold != k)
        predicted = naive_bayes(
            [tokens[i] for i in train],
            labels[train],
            [tokens[i] for i in test],
            letters * length,
            int(labels.max()) + 1,
        )
        accuracies.append(100 * float(np.mean(predicted == labels[test])))
    return float(np.mean(accuracies))
