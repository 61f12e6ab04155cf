"""The scores of answers, by examples that can be counted by hand."""

import numpy as np
import pytest

from experiments.common.measures import classification_measures, transcription_measures
from experiments.common.prediction import class_record


def test_transcripts_are_scored_by_words_and_letters():
    targets = [("one", "two"), ("six",), ("ten", "ten")]
    scores = transcription_measures(targets, [("one", "two"), ("sex",), ("ten",)])
    assert scores["word error rate %"] == pytest.approx(100 * 2 / 5) and scores["words"] == 5
    assert (scores["substitutions"], scores["deletions"], scores["insertions"]) == (1, 1, 0)
    assert scores["character error rate %"] == pytest.approx(100 * (1 + 4) / (7 + 3 + 7))
    assert scores["all right %"] == pytest.approx(100 / 3)
    assert transcription_measures(targets, targets, "label")["label error rate %"] == 0


def test_classes_are_scored_each_by_itself():
    rows = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0], [0.7, 0.3, 0.0]], np.float32)
    classes = ["a", "b", "c"]
    scores = classification_measures(classes, ["a", "a", "b", "b"], [class_record(classes, row) for row in rows])
    assert scores["accuracy %"] == 75 and scores["balanced accuracy %"] == 75
    assert scores["macro F1 %"] == pytest.approx(100 * (4 / 5 + 2 / 3) / 2)
    assert scores["confusion, predicted in columns"]["true b"] == {"a": 1, "b": 1, "c": 0}
