"""The baselines: naive Bayes by hand."""

import numpy as np
import pytest

from experiments.genomics.baselines import bayes_accuracy
from experiments.genomics.data import encode_sequences
from experiments.genomics.folds import Folds


def test_naive_bayes_by_hand():
    texts, labels = ["A", "A", "C", "C", "A", "C"], np.array([0, 0, 1, 1, 1, 0])
    folds = Folds(np.array([0, 1, 0, 1, 2, 2]), 1, 0)
    # Without fold 2 A is of class 0 and C of class 1; without the others either is more often so than not, or a draw.
    assert bayes_accuracy(encode_sequences(texts), labels, folds) == pytest.approx((50 + 50 + 0) / 3)
