"""What a text classifier has to beat: multinomial naive Bayes over the tokens, whose order does not matter."""

from collections.abc import Sequence

import numpy as np


def naive_bayes(
    train: Sequence[np.ndarray], labels: np.ndarray, test: Sequence[np.ndarray], size: int, classes: int
) -> np.ndarray:
    """The classes of test texts by naive Bayes, each token counted once a text (Wang & Manning 2012).

    Args:
        train: tokens int `[n]` of each training text.
        labels: int `[N]`, the classes of the training texts.
        test: tokens of each test text.
        size: V, more than any token.
        classes: C.

    Returns:
        int `[len(test)]`.
    """
    counts = np.ones((classes, size))
    for tokens, label in zip(train, labels, strict=True):
        counts[label, np.unique(tokens)] += 1
    likelihood = np.log(counts) - np.log(counts.sum(1, keepdims=True))
    prior = np.log(np.bincount(labels, minlength=classes) + 1)
    return np.array([np.argmax(prior + likelihood[:, np.unique(tokens)].sum(1)) for tokens in test])
