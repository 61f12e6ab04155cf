"""Statistics over seeds against scipy, against loops by the definitions of rliable, and intervals in a simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from rnn_jax.studies import statistics

RNG = np.random.default_rng(0)
SCORES = [RNG.normal(size=n).round(2) for n in (8, 8, 5)]


def loop_iqm(scores):
    scores = sorted(scores)
    cut = len(scores) // 4
    return math.fsum(scores[cut : len(scores) - cut]) / (len(scores) - 2 * cut)


def test_aggregates_are_those_of_rliable():
    for strata in ([SCORES[0]], SCORES, SCORES[:2]):
        everything = [score for stratum in strata for score in stratum]
        means = [math.fsum(stratum) / len(stratum) for stratum in strata]
        assert statistics.iqm(strata) == pytest.approx(loop_iqm(everything), abs=1e-12)
        assert statistics.mean(strata) == pytest.approx(sum(means) / len(means), abs=1e-12)
        wanted = sorted(means)[len(means) // 2] if len(means) == 3 else np.median(means)
        assert len(strata) == 1 or statistics.median(strata) == pytest.approx(wanted, abs=1e-12)
    assert statistics.median([1, 2, 10]) == 2 and statistics.iqm([0, 1, 2, 3, 100]) == 2


def test_the_probability_of_improvement_counts_pairs():
    for a, b in ((SCORES[0], SCORES[1]), ([1, 2, 2, 3], [2, 2, 5])):
        wins = [1.0 if x > y else 0.5 if x == y else 0.0 for x in a for y in b]
        found = statistics.probability_of_improvement(a, b)
        assert found == pytest.approx(sum(wins) / len(wins), abs=1e-12)
        assert found == pytest.approx(stats.mannwhitneyu(a, b).statistic / len(wins), abs=1e-12)
        assert statistics.probability_of_improvement(a, b, higher_is_better=False) == pytest.approx(1 - found)
    assert statistics.probability_of_improvement([[1, 2], [5, 6]], [[3, 4], [5, 5]]) == (0 + 0.75) / 2


def test_paired_tests_are_those_of_scipy():
    a, b = SCORES[0], SCORES[1]
    assert statistics.paired_test(a, b) == pytest.approx(stats.wilcoxon(a, b).pvalue, abs=1e-12)
    assert statistics.paired_test(a, b, "t") == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=1e-12)
    assert statistics.paired_test(a[:5], b[:5]) == statistics.paired_test(a[:5], b[:5], "t")
    # All of eight differences have one sign: 2 of the 2⁸ ways to give signs are as extreme.
    assert statistics.paired_test(a + 0.1 * np.arange(1, 9), a) == pytest.approx(2 / 256)
    assert statistics.paired_test(a, a) == 1 and all(math.isnan(statistics.paired_test([1.0], [b])) for b in (1.0, 2.0))
    assert statistics.paired_test([2, 3, 4], [1, 2, 3]) == statistics.paired_test([0.1 + 0.2, 1.3], [0.0, 1.0]) == 0


def test_holms_correction_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03, math.nan])[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(statistics.holm([0.01, math.nan])[1]) and statistics.holm([0.9, 0.8]) == [1.0, 1.0]


def test_intervals_follow_from_the_seed_and_move_with_the_scores():
    for aggregate in statistics.AGGREGATES:
        interval = statistics.bootstrap_interval(SCORES, aggregate)
        assert interval == statistics.bootstrap_interval(SCORES, aggregate)
        assert interval.low < getattr(statistics, aggregate)(SCORES) < interval.high
        moved = statistics.bootstrap_interval([3 + 2 * stratum for stratum in SCORES], aggregate)
        np.testing.assert_allclose(moved, 3 + 2 * np.array(interval), rtol=1e-9)
    assert statistics.bootstrap_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)
    assert all(map(math.isnan, statistics.bootstrap_interval([[1.0, 2.0], [1.0]])))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_below_five_scores_the_mean_has_students_interval_and_nothing_else_has_one(n):
    scores = RNG.normal(size=n)
    wanted = stats.t.interval(0.9, n - 1, scores.mean(), stats.sem(scores))
    np.testing.assert_allclose(statistics.bootstrap_interval(scores, "mean", confidence=0.9), wanted, rtol=1e-9)
    assert all(map(math.isnan, statistics.bootstrap_interval(scores, "iqm")))
    assert all(map(math.isnan, statistics.bootstrap_interval(scores, "median")))
    other = RNG.normal(3, 2, size=n)  # the mean of two strata is half of what Welch's test has as their sum
    welch = stats.ttest_ind(scores, -other, equal_var=False).confidence_interval()
    low, high = statistics.bootstrap_interval([scores, other], "mean")
    if stats.ttest_ind(scores, -other, equal_var=False).df < statistics.FEW:
        np.testing.assert_allclose([2 * low, 2 * high], welch, rtol=1e-9)


@pytest.mark.parametrize("strata", [[RNG.normal(size=6)], [RNG.normal(size=5), RNG.normal(3, 2, size=7)]])
def test_the_bootstrap_t_interval_by_its_definition(strata):
    """Efron & Tibshirani 1993, chapter 12.5, each standard error by scipy's, of a sample."""
    rng = np.random.default_rng(0)
    drawn = [stratum[rng.integers(len(stratum), size=(500, len(stratum)))] for stratum in strata]
    value, error = np.mean([s.mean() for s in strata]), math.hypot(*map(stats.sem, strata)) / len(strata)
    found = []
    for rows in zip(*drawn, strict=True):
        own = math.hypot(*map(stats.sem, rows)) / len(strata)
        if own > 0.1 * error:
            found.append((np.mean([row.mean() for row in rows]) - value) / own)
    low, high = np.quantile(found, [0.05, 0.95])
    interval = statistics.bootstrap_interval(strata, "mean", confidence=0.9, resamples=500)
    np.testing.assert_allclose(interval, (value - high * error, value - low * error), rtol=1e-9)


def test_scores_that_nearly_coincide_do_not_blow_an_interval_up():
    scores = np.array([16.70, 16.71, 16.72, 14.40, 15.27])
    low, high = statistics.bootstrap_interval(scores, "mean")
    assert high - low < 15 * scores.std(ddof=1) / 5**0.5 and low < scores.mean() < high


def test_strata_are_resampled_apart():
    # Between strata there is much variance, inside none to speak of: what is drawn inside them hardly moves the mean.
    low, high = statistics.bootstrap_interval([[0.0, 0.01, 0.0, 0.01], [9.0, 9.01, 9.0, 9.01]], "mean")
    assert 4.45 < low < 4.505 < high < 4.55


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("aggregate", "least", "most"), [("mean", 0.93, 0.97), ("median", 0.95, 0.995), ("iqm", 0.95, 0.99)]
)
def test_intervals_of_eight_seeds_cover(aggregate, least, most):
    draws = np.random.default_rng(1).normal(size=(800, 8))
    intervals = [statistics.bootstrap_interval(scores, aggregate, resamples=1000) for scores in draws]
    assert least < np.mean([low <= 0 <= high for low, high in intervals]) < most


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics.mean([]), "scores has a stratum"),
        (lambda: statistics.iqm([1.0, math.nan]), "expected finite numbers"),
        (lambda: statistics.bootstrap_interval([1.0, 2.0], "mode"), "aggregate='mode'.*iqm"),
        (lambda: statistics.bootstrap_interval([1.0, 2.0], confidence=95.0), "confidence=95.0"),
        (lambda: statistics.bootstrap_interval([1.0, 2.0], resamples=0), "resamples=0"),
        (lambda: statistics.paired_test([1.0, 2.0], [1.0]), "2 values, 1 of the reference"),
        (lambda: statistics.paired_test([1.0], [1.0], "z"), "test='z'.*wilcoxon"),
        (lambda: statistics.probability_of_improvement([[1.0], [2.0]], [1.0]), "values has 2 strata, reference 1"),
    ],
)
def test_what_cannot_be_computed_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
