import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_jax.data.batches import BucketBatches, LabelledBatches, best_bounds, in_order

some_lengths = st.lists(st.integers(0, 30), min_size=1, max_size=40).map(np.array)


@settings(derandomize=True, deadline=None)
@given(some_lengths, st.integers(1, 5), st.integers(1, 3), st.integers(1, 4))
def test_every_batch_fits_its_length_and_groups_share_one(lengths, batch_size, group, buckets):
    batches = BucketBatches(lengths, batch_size, seed=3, group=group, buckets=buckets)
    assert len(batches.bounds) <= buckets and sorted(np.concatenate(batches.members)) == list(range(len(lengths)))
    for first in range(0, 6 * group, group):
        padded = {batches.examples(i)[1] for i in range(first, first + group)}
        assert len(padded) == 1
        for i in range(first, first + group):
            examples, length = batches.examples(i)
            assert len(examples) == batch_size and lengths[examples].max() <= length
    assert 0 <= batches.wasted <= 1


@settings(derandomize=True, deadline=None)
@given(some_lengths, st.integers(1, 4))
def test_no_example_comes_twice_before_all_others_of_its_bucket(lengths, buckets):
    batches = BucketBatches(lengths, 2, seed=0, buckets=buckets)
    seen = np.zeros(len(lengths), int)
    for i in range(60):
        np.add.at(seen, batches.examples(i)[0], 1)
        for members in batches.members:
            assert seen[members].max() - seen[members].min() <= 1


def test_a_batch_follows_from_its_number_alone():
    lengths = np.random.default_rng(0).integers(1, 50, 300)
    once, again = (BucketBatches(lengths, 8, seed=5, group=3, buckets=4) for _ in range(2))
    forwards = [once.examples(i) for i in range(200)]
    backwards = [again.examples(i) for i in reversed(range(200))][::-1]
    for (a, n), (b, m) in zip(forwards, backwards, strict=True):
        assert n == m and (a == b).all()
    other = BucketBatches(lengths, 8, seed=6, group=3, buckets=4)
    assert any((other.examples(i)[0] != forwards[i][0]).any() for i in range(10))
    # Long examples come as often as short ones.
    counts = np.bincount(
        np.concatenate([once.examples(i)[0] for i in range(10 * once.batches_per_epoch)]), minlength=300
    )
    assert counts.min() >= 6 and counts.max() <= 15


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=12).map(np.array), st.integers(1, 4))
def test_no_other_bounds_waste_less(lengths, buckets):
    def padded(bounds):
        return sum(min(b for b in bounds if b >= n) for n in lengths)

    possible = np.unique(lengths)
    best = min(
        padded([*chosen, possible[-1]])
        for count in range(min(buckets, len(possible)))
        for chosen in itertools.combinations(possible[:-1], count)
    )
    assert padded(best_bounds(lengths, buckets)) == best


def test_more_buckets_waste_less():
    lengths = np.random.default_rng(0).integers(1, 100, 1000)
    wasted = [BucketBatches(lengths, 8, 0, buckets=n).wasted for n in (1, 2, 4, 8)]
    assert wasted[0] > 0.45 and wasted[3] < 0.1 and wasted == sorted(wasted, reverse=True)


def test_in_order_has_each_example_once():
    lengths = np.array([5, 1, 3, 3, 9])
    batches = in_order(lengths, 2)
    assert [list(b) for b in batches] == [[1, 2], [3, 0], [4]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": np.zeros(0, int)}, "at least one example"),
        ({"batch_size": 0}, "batch_size=0: expected at least 1"),
        ({"seed": -1}, "seed=-1"),
        ({"buckets": 0}, "buckets=0"),
        ({"group": 0}, "group=0"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    arguments = {"lengths": np.arange(1, 5), "batch_size": 2, "seed": 0} | change
    with pytest.raises(ValueError, match=message):
        BucketBatches(**arguments)
    with pytest.raises(ValueError, match="i=-1"):
        BucketBatches(np.arange(1, 5), 2, 0).examples(-1)


def test_labelled_batches_keep_sequences_and_labels_together():
    sequences = [np.full(length, length, np.int32) for length in (1, 2, 3, 9)]
    batches = LabelledBatches(sequences, np.array([10, 20, 30, 90]), 3, seed=0, buckets=2)
    assert batches.padding == (
        "padding: 58% of the steps if all were padded to the longest (9), 17% in buckets of 3, 9"
    )
    for i in range(8):
        batch, again = batches.batch(i), batches.batch(i)
        assert batch["inputs"].shape in ((3, 3), (9, 3))
        for b, length in enumerate(batch["lengths"]):
            assert batch["labels"][b] == 10 * length and (batch["inputs"][:length, b] == length).all()
            assert not batch["inputs"][length:, b].any()
        assert all(np.array_equal(batch[name], again[name]) for name in batch)


def test_each_epoch_and_each_seed_has_an_order_of_its_own():
    def epoch(seed: int, turn: int) -> list[int]:
        batches = BucketBatches(np.ones(24, int), 4, seed)
        return np.concatenate([batches.examples(i)[0] for i in range(6 * turn, 6 * turn + 6)]).tolist()

    orders = [epoch(seed, turn) for seed in (0, 1) for turn in range(3)]
    assert all(sorted(order) == list(range(24)) for order in orders)
    assert len(set(map(tuple, orders))) == 6


def test_each_round_and_each_seed_takes_the_buckets_in_an_order_of_its_own():
    def lengths(seed: int, turn: int) -> tuple[int, ...]:
        batches = BucketBatches(np.repeat([1, 2, 3, 4], 8), 2, seed, buckets=4)
        return tuple(batches.examples(i)[1] for i in range(16 * turn, 16 * turn + 16))

    orders = [lengths(seed, turn) for seed in (0, 1) for turn in range(3)]
    assert all(sorted(order) == sorted([1, 2, 3, 4] * 4) for order in orders) and len(set(orders)) == 6
