"""Nearest neighbours against a loop over all examples."""

from collections import Counter

import numpy as np
import pytest

from experiments.common.recordings import Recording
from experiments.handwriting.baselines import nearest_drawings, nearest_labels


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
    assert nearest_drawings(drawn[::2], drawn[1::4], drawn[3::4]) == {"nearest drawing": 100.0}
