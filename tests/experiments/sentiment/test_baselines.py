"""Naive Bayes over words, and NBSVM against its definition computed by hand."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array

from experiments.sentiment.baselines import (
    NBSVM,
    log_count_ratios,
    naive_bayes_accuracy,
    nbsvm_accuracy,
    words_and_pairs,
)

TEXTS, LABELS = ["Good film", "bad film", "a good film", "bad bad"], np.array([1, 0, 1, 0])


def test_accuracy_over_words():
    train, labels = ["good film", "bad film", "good"], np.array([1, 0, 1])
    test, test_labels = ["a good one", "bad , bad", "bad"], np.array([1, 0, 1])
    assert naive_bayes_accuracy(train, labels, test, test_labels) == pytest.approx(2 / 3)


def test_words_and_pairs_of_a_text_count_once():
    assert words_and_pairs("Bad bad bad film") == {"bad", "film", "bad bad", "bad film"}
    assert words_and_pairs("") == set()


def test_log_count_ratios_are_those_of_texts_that_have_a_feature():
    fitted = NBSVM.fit(TEXTS, LABELS, 2, [1.0])[0]
    assert sorted(fitted.places) == ["a", "a good", "bad", "bad bad", "bad film", "film", "good", "good film"]
    # Texts with each of them, and one: of the class, 15 in all, and of the others, 13 in all.
    inside, outside = np.array([2, 2, 1, 1, 1, 3, 3, 3]), np.array([1, 1, 3, 2, 2, 2, 1, 1])
    wanted = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    design = csr_array([[name in words_and_pairs(t) for name in sorted(fitted.places)] for t in TEXTS], dtype=float)
    np.testing.assert_allclose(log_count_ratios(design, np.where(LABELS == 1, 1.0, -1.0)), wanted)


def test_nbsvm_is_the_machine_of_its_definition_pulled_to_the_mean_of_its_weights():
    names = sorted(set().union(*map(words_and_pairs, TEXTS)))
    found = np.array([[name in words_and_pairs(text) for name in names] for text in TEXTS], float)
    sign = np.where(LABELS == 1, 1.0, -1.0)
    p, q = 1 + found[LABELS == 1].sum(axis=0), 1 + found[LABELS == 0].sum(axis=0)
    ratios = np.log(p / p.sum()) - np.log(q / q.sum())

    for cost in (0.1, 1.0):

        def loss(values, cost=cost):
            short = np.maximum(0, 1 - sign * ((found * ratios) @ values[:-1] + values[-1]))
            return values[:-1] @ values[:-1] / 2 + cost * short @ short

        weights, bias = np.split(minimize(loss, np.zeros(len(names) + 1), tol=1e-10).x, [-1])
        wanted = ratios * (0.75 * np.abs(weights).mean() + 0.25 * weights)
        fitted = NBSVM.fit(TEXTS, LABELS, 2, [0.1, 1.0])[[0.1, 1.0].index(cost)]
        np.testing.assert_allclose(fitted.weights[0], wanted, atol=1e-4)
        np.testing.assert_allclose(fitted.bias, bias, atol=1e-4)
        assert fitted.predict([*TEXTS, "good", "an unknown bad thing", ""]).tolist()[:6] == [1, 0, 1, 0, 1, 0]


def test_nbsvm_of_several_classes_says_the_likeliest_one():
    texts, labels = [f"{word} {other}" for word in "abc" for other in "xyz"], np.repeat([0, 1, 2], 3)
    (fitted,) = NBSVM.fit(texts, labels, 3, [1.0])
    assert fitted.predict(["b x", "c", "a z"]).tolist() == [1, 2, 0]


def test_validation_texts_choose_the_cost_and_test_texts_are_scored():
    texts = {"train": TEXTS, "validation": ["good", "bad"], "test": ["good", "a good one", "bad", "bad film"]}
    labels = {"train": LABELS, "validation": np.array([1, 0]), "test": np.array([1, 1, 0, 1])}
    score, cost = nbsvm_accuracy(texts, labels, 2)
    assert score == pytest.approx(3 / 4) and cost == 0.03


def test_test_texts_choose_no_cost(monkeypatch):
    """A classifier of each cost is right on one part only: the validation texts choose, the test texts pay."""

    class Stub:
        def __init__(self, cost):
            self.cost = cost

        def predict(self, texts):
            return np.full(len(texts), int((self.cost == 0.3) == (texts == ["validation"])))

    monkeypatch.setattr(NBSVM, "fit", lambda texts, labels, classes, costs: [Stub(cost) for cost in costs])
    parts = ("train", "validation", "test")
    texts, labels = {part: [part] for part in parts}, {part: np.array([1]) for part in parts}
    assert nbsvm_accuracy(texts, labels, 2) == (0.0, 0.3)
