"""The nearest mean, worked out by hand."""

import numpy as np

from experiments.sequential_images.baselines import nearest_mean


def test_the_nearest_mean():
    examples = np.array([[[0, 0]], [[2, 0]], [[9, 9]]], np.uint8)
    found = nearest_mean(examples, np.array([4, 4, 7]), np.array([[[3, 3]], [[6, 6]], [[255, 0]]], np.uint8))
    assert found.tolist() == [4, 7, 7]
