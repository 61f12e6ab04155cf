"""Nearest neighbours against a loop over all examples."""

from collections import Counter

import numpy as np
import pytest

from experiments.common.nearest import nearest_drawings, nearest_labels, nearest_mean
from experiments.common.speech_data import Recording


@pytest.mark.parametrize("neighbours", [1, 4, 20])
def test_labels_are_those_of_a_loop(neighbours):
    rng = np.random.default_rng(0)
    examples, queries, labels = rng.normal(size=(20, 3)), rng.normal(size=(50, 3)), list("abcde" * 4)
    for query, found in zip(queries, nearest_labels(examples, labels, queries, neighbours), strict=True):
        near = [labels[i] for i in np.argsort(((examples - query) ** 2).sum(axis=1))[:neighbours]]
        most = max(Counter(near).values())
        assert found == next(label for label in near if near.count(label) == most)
    with pytest.raises(ValueError, match="neighbours=21: expected 1 to 20"):
        nearest_labels(examples, labels, queries, 21)


def test_drawings_at_any_place_and_of_any_size():
    rng = np.random.default_rng(0)
    shapes = {"l": [[0, 0], [0, 1], [1, 1]], "v": [[0, 1], [0.5, 0], [1, 1]]}
    drawn = [
        Recording(((np.array(shape) * rng.uniform(1, 9, 2) + rng.normal(size=2)).astype(np.float32),), (label,))
        for label, shape in shapes.items()
        for _ in range(6)
    ]
    assert nearest_drawings(drawn[::2], drawn[1::4], drawn[3::4]) == {"1 nearest drawings": 100.0}


def test_the_nearest_mean():
    examples = np.array([[[0, 0]], [[2, 0]], [[9, 9]]], np.uint8)
    found = nearest_mean(examples, np.array([4, 4, 7]), np.array([[[3, 3]], [[6, 6]], [[255, 0]]], np.uint8))
    assert found.tolist() == [4, 7, 7]
