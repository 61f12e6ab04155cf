"""The n-gram model is a probability distribution and equals its formula, written out with dictionaries."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from experiments.common.ngram import ngram_nats
from tests.experiments.slow_ngram import grams, slow_probability

V = 3
texts = st.lists(st.integers(0, V - 1), min_size=4, max_size=40)
orders = st.integers(1, 4)
some = settings(max_examples=50, deadline=None, derandomize=True)


def text_probability(train, history, token, order):
    """P(token | history) by the n-grams of one text; at its beginning those of lower order are all that there are."""
    return slow_probability(grams([train], order), V, history, token, min(order, len(history) + 1))


@some
@example(train=[0, 1, 2, 1], test=[1, 2], order=4)  # the test text is shorter than one n-gram
@given(train=texts, test=st.lists(st.integers(0, V - 1), min_size=2, max_size=8), order=orders)
def test_equals_the_formula(train, test, order):
    wanted = -np.mean([math.log(text_probability(train, test[:i], test[i], order)) for i in range(1, len(test))])
    np.testing.assert_allclose(ngram_nats(np.array(train), np.array(test), V, order), wanted, rtol=1e-12)


@some
@given(texts, orders)
def test_the_probabilities_of_all_continuations_sum_to_one(train, order):
    # A text of n - 1 tokens and one more: exp(-nats · number of scored tokens) is the probability of the whole text.
    length = max(order, 2)
    for first in range(V):
        total = sum(
            math.exp(-(length - 1) * ngram_nats(np.array(train), np.array([first, *rest]), V, order))
            for rest in itertools.product(range(V), repeat=length - 1)
        )
        np.testing.assert_allclose(total, 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("train", "test", "size", "order", "message"),
    [
        ([0, 1, 2], [0, 1], 3, 0, "order=0 .*at least 1"),
        ([0, 1, 2], [0, 1], 2**21, 3, "order=3 with 2097152 tokens: .*below 2"),
        ([0, 1, 2], [0, 1], 3, 4, "train has 3 tokens .*at least 4"),
        ([0, 1, 2], [0], 3, 2, "test 1: "),
        ([0, 1, 3], [0, 1], 3, 2, "train has tokens from 0 to 3: expected 0 to 2"),
        ([0, 1, 2], [0, -1], 3, 2, "test has tokens from -1 to 0: expected 0 to 2"),
    ],
)
def test_errors(train, test, size, order, message):
    with pytest.raises(ValueError, match=message):
        ngram_nats(np.array(train), np.array(test), size, order)
