"""What a classifier of texts is measured against: naive Bayes over words, and NBSVM over words and pairs of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array

from experiments.common.naive_bayes import naive_bayes
from experiments.sentiment.grams import pairs_of
from rnn_jax.data import Words
from rnn_jax.data.vocabulary import split_words
from rnn_jax.metrics import accuracy

COSTS = (0.03, 0.1, 0.3, 1.0)
"""Of an error, C of support vector machines, of which validation texts choose one."""
INTERPOLATION = 0.25
"""How much of the weights of NBSVM is their own; the rest is the mean of their sizes (Wang & Manning 2012, β)."""


def naive_bayes_accuracy(
    train: Sequence[str], labels: np.ndarray, test: Sequence[str], test_labels: np.ndarray
) -> float:
    """The share of test texts whose class naive Bayes over words finds, after training texts and labels."""
    words = Words.fit(train)
    train_words, test_words = ([words.encode(text) for text in texts] for texts in (train, test))
    classes = int(max(labels.max(), test_labels.max())) + 1
    return accuracy(naive_bayes(train_words, labels, test_words, len(words), classes), test_labels)


def words_and_pairs(text: str) -> set[str]:
    """The words of a text in lower case, and each two that follow one another with a blank between them."""
    words = split_words(text, lower=True)
    return {*words, *pairs_of(words)}


class NBSVM(NamedTuple):
    """A linear classifier of the log-count ratios of what a text has, for each class against the rest.

    Wang & Manning 2012, "Baselines and bigrams: simple, good sentiment and topic classification".
    """

    places: dict[str, int]
    """Of each word and pair among the weights."""
    weights: np.ndarray
    """`[C, V]`, by which what a text has is scored; for two classes `[1, V]`, for the second of them."""
    bias: np.ndarray
    """`[C]` or `[1]`."""

    @classmethod
    def fit(cls, texts: Sequence[str], labels: np.ndarray, classes: int, costs: Sequence[float]) -> "list[NBSVM]":
        """A classifier of training texts for each C.

        r = log(p / |p|) − log(q / |q|), p and q one more than in how many texts of the class, and of the others, a word
        or pair is. On features r f, f 1 where a text has it, w is a support vector machine of squared hinge losses,
        |w|² / 2 + C Σ max(0, 1 − y (w r f + b))², and the weights are those of (1 − β) |w|₁ / V + β w.

        Args:
            texts: of training.
            labels: int `[N]`, from 0 on.
            classes: how many.
            costs: each C.
        """
        found = [words_and_pairs(text) for text in texts]
        places = {feature: i for i, feature in enumerate(sorted(set().union(*found)))}
        design = _design(found, places)
        signs = [np.where(labels == c, 1.0, -1.0) for c in ([1] if classes == 2 else range(classes))]
        by_class = [_weights_of(design, sign, costs) for sign in signs]
        return [cls(places, *map(np.stack, zip(*rows, strict=True))) for rows in zip(*by_class, strict=True)]

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The classes of texts, int `[N]`."""
        scores = _design([words_and_pairs(text) for text in texts], self.places) @ self.weights.T + self.bias
        return (scores[:, 0] > 0).astype(int) if len(self.weights) == 1 else scores.argmax(axis=1)


def log_count_ratios(design: csr_array, sign: np.ndarray) -> np.ndarray:
    """How much more often than the others texts of a class have each feature: `[V]`, see `NBSVM.fit`."""
    inside, outside = (design.T @ (sign == one).astype(float) for one in (1, -1))
    return ratios_of_counts(inside, outside)


def ratios_of_counts(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Log-count ratios by how many texts of a class, and of the others, have each feature: `[..., V]`."""
    p, q = inside + 1, outside + 1
    return np.log(p / p.sum(-1, keepdims=True)) - np.log(q / q.sum(-1, keepdims=True))


def _weights_of(design: csr_array, sign: np.ndarray, costs: Sequence[float]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights `[V]` and bias of one class against the rest for each C, each search from where the last one ended."""
    ratios = log_count_ratios(design, sign)
    features = design.multiply(ratios[None]).tocsr()
    columns = features.T.tocsr()

    def margins(values: np.ndarray) -> np.ndarray:
        return 1 - sign * (features @ values[:-1] + values[-1])

    def loss(values: np.ndarray, cost: float) -> tuple[float, np.ndarray]:
        short = np.maximum(0.0, margins(values))
        pulls = -2 * cost * sign * short
        slope = np.append(values[:-1] + columns @ pulls, pulls.sum())
        return 0.5 * float(values[:-1] @ values[:-1]) + cost * float(short @ short), slope

    def curvature(values: np.ndarray, direction: np.ndarray, cost: float) -> np.ndarray:
        pulls = 2 * cost * (margins(values) > 0) * (features @ direction[:-1] + direction[-1])
        return np.append(direction[:-1] + columns @ pulls, pulls.sum())

    rows, values = [], np.zeros(len(ratios) + 1)
    for cost in costs:
        values = minimize(
            loss, values, args=(cost,), jac=True, hessp=curvature, method="Newton-CG", options={"xtol": 1e-5}
        ).x
        mixed = (1 - INTERPOLATION) * np.abs(values[:-1]).mean() + INTERPOLATION * values[:-1]
        rows.append((mixed * ratios, values[-1]))
    return rows


def _design(found: Sequence[set[str]], places: dict[str, int]) -> csr_array:
    """1 where a text has a feature: `[N, V]`; others than those that have a place do not count."""
    columns = [sorted(places[feature] for feature in one if feature in places) for one in found]
    ends = np.cumsum([0, *map(len, columns)])
    indices = np.array([place for row in columns for place in row], int)
    return csr_array((np.ones(len(indices)), indices, ends), shape=(len(found), len(places)))


def nbsvm_accuracy(
    texts: Mapping[str, Sequence[str]], labels: Mapping[str, np.ndarray], classes: int
) -> tuple[float, float]:
    """The share of test texts whose class NBSVM finds, and the C that is best for validation texts.

    Args:
        texts: of "train", "validation" and "test".
        labels: of these, int `[N]`.
        classes: how many.
    """
    fitted = dict(zip(COSTS, NBSVM.fit(texts["train"], labels["train"], classes, COSTS), strict=True))
    scores = {c: accuracy(one.predict(texts["validation"]), labels["validation"]) for c, one in fitted.items()}
    best = max(COSTS, key=scores.__getitem__)
    return accuracy(fitted[best].predict(texts["test"]), labels["test"]), best
