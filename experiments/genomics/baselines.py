"""What the classifiers are measured against: naive Bayes over the same folds."""

import numpy as np

from experiments.common.naive_bayes import naive_bayes
from experiments.genomics.data import CODES, Sequences
from experiments.genomics.folds import Folds


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
