"""What a classifier of texts is measured against: naive Bayes over words."""

from collections.abc import Sequence

import numpy as np

from experiments.common.naive_bayes import naive_bayes
from rnn_jax.data import Words
from rnn_jax.metrics import accuracy


def naive_bayes_accuracy(
    train: Sequence[str], labels: np.ndarray, test: Sequence[str], test_labels: np.ndarray
) -> float:
    """The share of test texts whose class naive Bayes over words finds, after training texts and labels."""
    words = Words.fit(train)
    train_words, test_words = ([words.encode(text) for text in texts] for texts in (train, test))
    classes = int(max(labels.max(), test_labels.max())) + 1
    return accuracy(naive_bayes(train_words, labels, test_words, len(words), classes), test_labels)
