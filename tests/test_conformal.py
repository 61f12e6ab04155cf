"""Conformal intervals: the theorems that they stand on, and what is known when."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_jax.conformal import AdaptiveConformal, adaptive_margins, conformal_margin, conformity_scores


@pytest.mark.parametrize(("count", "level"), [(19, 0.9), (40, 0.8), (100, 0.9), (9, 0.9)])
def test_exchangeable_targets_are_covered_as_the_theorem_says(count, level):
    """1 − α ≤ P(target in band) ≤ 1 − α + 1 / (N + 1); exactly ⌈(N + 1)(1 − α)⌉ / (N + 1), for scores are distinct."""
    rng, repeats = np.random.default_rng(count), 20_000
    low, target = rng.normal(size=(2, count + 1, repeats))
    high = low + rng.exponential(size=low.shape)
    scores = conformity_scores(low, high, target)
    margin = conformal_margin(scores[:-1], level)
    covered = np.mean((target[-1] >= low[-1] - margin) & (target[-1] <= high[-1] + margin))
    noise = 4 * math.sqrt(level * (1 - level) / repeats)
    assert level - noise <= covered <= level + 1 / (count + 1) + noise
    assert covered == pytest.approx(math.ceil((count + 1) * level - 1e-9) / (count + 1), abs=noise)


def test_the_margin_is_an_order_statistic_of_what_is_known():
    scores = np.array([[3.0, 1.0], [1.0, np.nan], [2.0, np.nan], [4.0, 5.0]])
    np.testing.assert_array_equal(conformal_margin(scores, 0.8), [4, np.inf])  # rank 4 of 4, and 3 of 2
    np.testing.assert_array_equal(conformal_margin(scores, 0.6), [3, 5])
    np.testing.assert_array_equal(conformal_margin(np.full((3, 1), np.nan), 0.5), [np.inf])
    # A band that holds more than it is to hold becomes narrower; of a number alone the score is the absolute residual.
    assert conformal_margin(conformity_scores([0.0] * 9, [10.0] * 9, np.linspace(4, 6, 9)), 0.9) < 0
    np.testing.assert_array_equal(conformity_scores([1.0, 1.0], [1.0, 1.0], [3.0, -4.0]), [2, 5])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.8, 0.9]), st.sampled_from([0.02, 0.1]), st.integers(0, 5))
def test_whatever_comes_adaptive_bands_miss_a_share_near_their_level(seed, level, rate, delay):
    """Proposition 4.1 for targets that jump, drift and are chosen against the bands; some are not known."""
    rng, steps = np.random.default_rng(seed), 300
    scores = rng.normal(size=steps) * rng.choice([0.1, 1, 10], steps) + rng.choice([-0.1, 0.1]) * np.arange(steps)
    scores[rng.random(steps) < 0.1] = np.nan
    margins = adaptive_margins(rng.normal(size=50), scores, level, rate, delay=delay)
    known = ~np.isnan(scores[: steps - 1 - delay])
    missed = np.mean((scores > margins)[: steps - 1 - delay][known])
    assert abs(missed - (1 - level)) <= (1 + (delay + 1) * rate) / (rate * known.sum())


def test_adaptive_bands_follow_a_change_that_split_ones_do_not_see():
    rng = np.random.default_rng(0)
    before, after = np.abs(rng.normal(size=500)), 3 * np.abs(rng.normal(size=3000))
    split = conformal_margin(before, 0.9)
    adaptive = adaptive_margins(before, after, 0.9, 0.01)
    assert np.mean(after <= split) < 0.5 and np.mean(after <= adaptive) == pytest.approx(0.9, abs=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 8))
def test_a_margin_knows_only_targets_that_are_there(seed, delay):
    rng = np.random.default_rng(seed)
    calibration, scores = rng.normal(size=20), rng.normal(size=30)
    changed = scores.copy()
    changed[12:] = 100
    # So slow that no margin becomes infinite, which would stay so whatever comes.
    ours, theirs = (adaptive_margins(calibration, s, 0.8, 0.005, delay=delay) for s in (scores, changed))
    assert np.isfinite(ours).all() and np.isfinite(theirs[: 14 + delay]).all()
    np.testing.assert_array_equal(ours[: 13 + delay], theirs[: 13 + delay])
    assert (ours[13 + delay :] != theirs[13 + delay :]).any()


def test_a_stream_goes_by_the_newest_scores_and_may_be_bounded():
    stream = AdaptiveConformal([1.0, 2.0, np.nan, 3.0], 0.5, 0.0)
    assert stream.margin == 2
    for score in (10.0, np.nan, 11.0, 12.0):
        stream.update(score, stream.margin)
    assert stream.margin == 11, "the first scores are forgotten"
    for bounded, wanted in ((False, math.inf), (True, 3.0)):
        assert AdaptiveConformal([1.0, 3.0], 0.9, bounded=bounded).margin == wanted
    never = AdaptiveConformal([1.0], 0.5, 0.9)
    for _ in range(2):
        never.update(0.0, 5.0)
    assert never.miscoverage > 1 and never.margin == -math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conformal_margin([1.0], 90.0), "level=90.0: expected a share between 0 and 1"),
        (lambda: AdaptiveConformal([1.0], 1.0), "level=1.0"),
        (lambda: AdaptiveConformal([np.nan], 0.9), "scores has none that is known"),
        (lambda: AdaptiveConformal([1.0], 0.9, 2.0), "rate=2.0"),
        (lambda: conformity_scores([1.0], [1.0], [1.0, 2.0]), r"target \[2\]: expected one shape"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
