"""Naive Bayes over the words of texts."""

import numpy as np
import pytest

from experiments.sentiment.baselines import naive_bayes_accuracy


def test_accuracy_over_words():
    train, labels = ["good film", "bad film", "good"], np.array([1, 0, 1])
    test, test_labels = ["a good one", "bad , bad", "bad"], np.array([1, 0, 1])
    assert naive_bayes_accuracy(train, labels, test, test_labels) == pytest.approx(2 / 3)
