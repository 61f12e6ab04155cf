"""TF-IDF against a case worked by hand."""

import math

import numpy as np

from experiments.chatbot.tfidf import TfIdf, neighbour_scores

DOCUMENTS = [["red", "red", "fish"], ["blue", "fish"], ["dog"]]


def test_vectors_are_the_formula_by_hand():
    vectors = TfIdf(DOCUMENTS)
    assert list(vectors.places) == ["blue", "dog", "fish", "red"]
    rare, common = math.log(4 / 2) + 1, math.log(4 / 3) + 1  # in one and in two of three texts
    np.testing.assert_allclose(vectors.weights, [rare, rare, common, rare])
    found = vectors([*DOCUMENTS, ["cat"], []]).toarray()
    first, second = math.hypot(2 * rare, common), math.hypot(rare, common)
    wanted = [
        [0, 0, common / first, 2 * rare / first],
        [rare / second, 0, common / second, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    np.testing.assert_allclose(found, wanted)


def test_the_nearest_known_pair_counts():
    known = [(["red"], ["fish"]), (["blue"], ["dog"])]
    scores = neighbour_scores(TfIdf(DOCUMENTS), [["red"], ["red", "blue"], ["cat"]], [["fish"], ["dog"]], known)
    half = 1 / math.sqrt(2)  # red and blue weigh the same
    np.testing.assert_allclose(scores, [[1, 0], [half, half], [0, 0]], atol=1e-12)
