"""Scores of a cross-validation, and classifications in words."""

import numpy as np
import pytest

from experiments.genomics.cross_validation import FoldModels
from experiments.genomics.data import encode_sequences
from experiments.genomics.folds import Folds, stratified_folds
from experiments.genomics.scores import classification_lines, cross_validated
from tests.experiments.genomics.small_sequences import LABELS, TEXTS


def test_scores_are_means_over_folds(stacked):
    params, rebuild = stacked
    sequences, fold = encode_sequences(TEXTS), stratified_folds(TEXTS, LABELS, 3)
    scores, probabilities = cross_validated(FoldModels(rebuild, sequences), params, Folds(fold, 4, 0), LABELS)
    by_fold = [100 * np.mean(probabilities[fold == k].argmax(axis=1) == LABELS[fold == k]) for k in range(3)]
    np.testing.assert_allclose(scores["folds"], by_fold)
    assert scores["accuracy"] == pytest.approx(np.mean(by_fold))
    lines = classification_lines(FoldModels(rebuild, sequences), params, 3, ["a", "b"], TEXTS)
    assert [line[0] in "ab" for line in lines] == [True] * 24 and all(float(line.split()[1]) >= 0.5 for line in lines)
