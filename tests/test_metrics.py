"""Scores against hand-worked cases and their definitions written out; compression near the entropy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_jax.metrics import (
    accuracy,
    balanced_accuracy,
    calibration,
    compression_nats,
    confident_from,
    confusion_matrix,
    coverage,
    interval_score,
    macro_f1,
    mean_absolute_error,
    nasa_score,
    negative_log_likelihood,
    pinball,
    qlike,
    quantile_crps,
    recall_at,
    root_mean_square_error,
    translation_scores,
    word_error_rate,
)

PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.35, 0.65], [0.2, 0.8]])
LABELS = np.array([0, 1, 1, 1])


def test_scores_by_hand():
    predicted = PROBABILITIES.argmax(1)
    assert accuracy(predicted, LABELS) == 0.75
    assert confusion_matrix(predicted, LABELS, 3).tolist() == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]
    assert negative_log_likelihood(PROBABILITIES, LABELS) == pytest.approx(
        -(math.log(0.9) + math.log(0.4) + math.log(0.65) + math.log(0.8)) / 4
    )
    assert negative_log_likelihood([[1.0, 0.0]], [1]) == math.inf
    # Two bins hold all: (0.5, 0.75] with 0.6 (wrong) and 0.65 (right), (0.75, 1] with 0.9 and 0.8, both right.
    found = calibration(PROBABILITIES, LABELS, bins=4)
    np.testing.assert_allclose(found.confidence, [0.625, 0.85])
    assert found.accuracy.tolist() == [0.5, 1.0] and found.counts.tolist() == [2, 2]
    assert found.error == pytest.approx((0.125 + 0.15) / 2)


@given(st.integers(1, 40), st.integers(2, 5), st.integers(1, 20), st.integers(0, 10**6))
def test_scores_are_their_definitions(count, classes, bins, seed):
    rng = np.random.default_rng(seed)
    probabilities, labels = rng.dirichlet(np.ones(classes), count), rng.integers(0, classes, count)
    predicted = probabilities.argmax(1)
    matrix = confusion_matrix(predicted, labels, classes)
    assert all(matrix[i, j] == sum((labels == i) & (predicted == j)) for i in range(classes) for j in range(classes))
    assert np.trace(matrix) / count == pytest.approx(accuracy(predicted, labels))
    error = 0.0
    for m in range(1, bins + 1):
        inside = [n for n in range(count) if (m - 1) / bins < probabilities[n].max() <= m / bins]
        if inside:
            claimed = np.mean([probabilities[n].max() for n in inside])
            error += len(inside) / count * abs(np.mean(predicted[inside] == labels[inside]) - claimed)
    assert calibration(probabilities, labels, bins).error == pytest.approx(error)


def test_what_does_not_fit_is_refused():
    for predicted, labels in (([], []), ([0, 1], [0]), ([[0]], [[0]])):
        with pytest.raises(ValueError, match=r"predictions for labels .*: expected as many"):
            accuracy(predicted, labels)
    with pytest.raises(ValueError, match="labels ranges from 0 to 2: expected 0 to 1"):
        confusion_matrix([0, 1], [0, 2], 2)


def random_text(seed, size):
    return "".join(np.random.default_rng(seed).choice(list("abcdefgh"), size))


def test_random_text_costs_its_entropy_and_repeated_text_next_to_nothing():
    train, other = random_text(0, 4000), random_text(1, 4000)
    assert math.log(8) < compression_nats(train, other) < 1.2 * math.log(8)
    assert 0 <= compression_nats(train, train) < 0.05


def test_recall_shares_places_among_equal_scores():
    scores = np.array([[3.0, 1, 2], [1.0, 3, 2], [2.0, 2, 1], [0.0, 0, 0]])
    assert recall_at(1, scores) == pytest.approx((1 + 0 + 1 / 2 + 1 / 3) / 4)
    assert recall_at(2, scores) == pytest.approx((1 + 0 + 1 + 2 / 3) / 4)
    assert recall_at(3, scores) == 1
    for k, wrong in ((0, scores), (4, scores), (1, scores[:0]), (1, scores[0])):
        with pytest.raises(ValueError, match=r"expected \[N, C\]"):
            recall_at(k, wrong)


def test_confidence_begins_at_the_lowest_score_that_is_right_often_enough():
    scores, right = np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, True, False, True])
    assert confident_from(scores, right) == 0.1
    assert confident_from(scores, right, wanted=0.6) == 0.2
    assert confident_from(scores, right, wanted=0.9) == 0.4
    assert confident_from(scores, ~right, wanted=0.9) is None
    assert confident_from(np.ones(4), right, wanted=0.5) == 1 and confident_from(np.ones(4), right, wanted=0.6) is None


def test_a_life_that_is_predicted_too_long_costs_more():
    assert nasa_score([20.0], [10.0]) == pytest.approx(math.e - 1)
    assert nasa_score([7.0, 5.0], [20.0, 5.0]) == pytest.approx(math.e - 1)
    assert root_mean_square_error([7.0, 5.0], [3.0, 8.0]) == pytest.approx(math.sqrt(12.5))
    with pytest.raises(ValueError, match="expected as many"):
        nasa_score([1.0], [1.0, 2.0])


def test_shapes_that_differ_are_not_broadcast():
    with pytest.raises(ValueError, match=r"forecast \[3\], target \[3, 1\]: expected one shape"):
        mean_absolute_error(np.zeros(3), np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"low \[\], high \[3\], target \[3\]: expected one shape"):
        coverage(0.0, np.ones(3), np.zeros(3))
    with pytest.raises(ValueError, match=r"variance \[2\], squares \[3\]: expected one shape"):
        qlike(np.ones(2), np.ones(3))


def test_scores_of_bands_and_quantiles_by_hand():
    nan = np.nan
    # Widths 2 and 4; the second target is 1 above a band of 80 %, which costs 10; the third is not known.
    assert interval_score([0, 0, 0.0], [2, 4, 1.0], [1, 5, nan], 0.8) == pytest.approx((2 + 4 + 10) / 2)
    target = np.array([1.0, -2.0, nan])
    assert quantile_crps(np.zeros((3, 1)), target, [0.5]) == pytest.approx(1.5)
    with pytest.raises(ValueError, match="levels ascending"):
        quantile_crps(np.zeros((3, 2)), target, [0.9, 0.1])


def test_scores_of_numbers_by_hand_leave_out_what_is_not_known():
    nan, target = np.nan, np.array([1.0, 4.0, np.nan, 0.0])
    assert mean_absolute_error([2.0, 2.0, 5.0, 0.0], target) == pytest.approx((1 + 2 + 0) / 3)
    # On the edge of a band, above it, not known, in it.
    assert coverage(np.zeros(4) - 0.5, np.array([1.0, 3.0, 1.0, 1.0]), target) == pytest.approx(2 / 3)
    assert coverage(target, target, target) == 1
    assert qlike([2.0, 1.0, 1.0], [1.0, 1.0, nan]) == pytest.approx((0.5 - math.log(0.5) - 1) / 2)
    # 2 too high at level 0.1 costs 0.9 each, 1 too low at level 0.5 costs 0.5.
    quantiles = np.array([[3.0, 3.0], [3.0, 3.0], [0.0, 0.0]])
    wanted = ((2 * 0.9 + 2 * 0.5) / 2 + (0.1 + 0.5) / 2) / 2
    assert pinball(quantiles, target[:3], (0.1, 0.5)) == pytest.approx(wanted)


def test_means_over_classes_by_hand():
    # Labels are rows: 3 of 4 of the first class are found, none of 2 of the second, the third neither is nor was said.
    confusion = [[3, 1, 0], [2, 0, 0], [0, 0, 0]]
    assert balanced_accuracy(confusion) == pytest.approx((3 / 4 + 0) / 2)
    assert macro_f1(confusion) == pytest.approx((2 * 3 / (4 + 5) + 0) / 2)
    assert math.isnan(balanced_accuracy(np.zeros((2, 2)))) and math.isnan(macro_f1(np.zeros((2, 2))))


def test_the_crps_of_many_quantiles_is_that_of_the_distribution():
    """Of a standard normal one, by the closed form of Gneiting & Raftery 2007, equation 22."""
    from statistics import NormalDist

    normal, target = NormalDist(), np.array([-1.5, 0.0, 0.3, 4.0])
    exact = [y * (2 * normal.cdf(y) - 1) + 2 * normal.pdf(y) - 1 / math.sqrt(math.pi) for y in target]
    for count, near in ((999, 2e-3), (9, 0.1)):
        levels = [i / (count + 1) for i in range(1, count + 1)]
        quantiles = np.broadcast_to([normal.inv_cdf(level) for level in levels], (4, count))
        assert quantile_crps(quantiles, target, levels) == pytest.approx(np.mean(exact), abs=near)


def test_word_errors_are_counted_over_the_words_of_the_references():
    # One word changed and two removed of four; one added to one.
    said, heard = [["a", "b", "c", "d"], ["e"]], [["a", "x"], ["e", "e"]]
    assert word_error_rate(said, heard) == pytest.approx(4 / 5)
    assert word_error_rate(heard, said) == pytest.approx(4 / 4)
    with pytest.raises(ValueError, match="1 references, 2 hypotheses"):
        word_error_rate(said[:1], heard)


def test_translations_are_scored_without_case_unless_it_counts():
    written, reference = ["A Dog runs in THE park ."], ["a dog runs in the park ."]
    assert translation_scores(written, reference) == {"BLEU": pytest.approx(100), "chrF": pytest.approx(100)}
    cased = translation_scores(written, reference, cased=True)
    assert 0 < cased["BLEU"] < 60 and 0 < cased["chrF"] < 80


def test_a_translation_that_is_too_short_is_punished_and_one_of_too_many_words_is_not_all_right():
    short, long = ["a dog runs in the"], ["a dog runs in the park today"]
    assert translation_scores(short, long)["BLEU"] == pytest.approx(100 * math.exp(1 - 7 / 5))  # all n-grams are there
    shares = [5 / 7, 4 / 6, 3 / 5, 2 / 4]
    assert translation_scores(long, short)["BLEU"] == pytest.approx(100 * math.prod(shares) ** (1 / 4))
