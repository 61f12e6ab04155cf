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


def drawing(place: float, label: str) -> Recording:
    """A line whose shape is told by one number."""
    return Recording((np.array([[0, 0], [place, 0.5], [1, 1]], np.float32),), (label,))


def test_validation_chooses_how_many_are_asked_and_is_known_where_it_is_not_held_out():
    """One odd neighbour: three are right where one is wrong, and on the other part the other way round."""
    known = [
        drawing(x, label) for x, label in ((0.1, "a"), (0.11, "b"), (0.13, "a"), (0.6, "a"), (0.8, "b"), (0.9, "b"))
    ]
    odd, plain = drawing(0.111, "a"), drawing(0.61, "a")
    assert nearest_drawings(known, [odd], [plain]) == {"3 nearest drawings": 0.0}
    assert nearest_drawings(known, [plain], [odd]) == {"nearest drawing": 0.0}
    assert nearest_drawings(known, [plain], [odd], hold_out=False) == {"nearest drawing": 0.0}
    assert nearest_drawings(known, [plain], [drawing(0.611, "a")], hold_out=False) == {"nearest drawing": 100.0}
    new = [drawing(0.3, "c")]
    found = [nearest_drawings(known, new, [drawing(0.31, "c")], hold_out=one) for one in (True, False)]
    assert found == [{"nearest drawing": 0.0}, {"nearest drawing": 100.0}]
