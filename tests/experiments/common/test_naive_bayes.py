"""Naive Bayes against Bayes' rule written out."""

import numpy as np

from experiments.common.naive_bayes import naive_bayes


def test_classes_are_those_of_bayes_rule():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 40)
    train = [rng.integers(0, 6, rng.integers(0, 5)) + label for label in labels]
    test = [rng.integers(0, 8, rng.integers(1, 5)) for _ in range(30)]
    found = naive_bayes(train, labels, test, 8, 3)
    for tokens, answer in zip(test, found, strict=True):
        scores = []
        for c in range(3):
            texts = [set(text.tolist()) for text, label in zip(train, labels, strict=True) if label == c]
            total = sum(len(text) for text in texts) + 8
            shares = [(sum(token in text for text in texts) + 1) / total for token in set(tokens.tolist())]
            scores.append((len(texts) + 1) * np.prod(shares))
        assert answer == np.argmax(scores)
