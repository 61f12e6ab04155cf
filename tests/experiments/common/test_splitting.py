"""Parts of the user's data: groups stay whole, classes are everywhere, sizes are near their shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.common.splitting import TENTHS, connect, number_groups, repeated, split_groups

items = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=3, max_size=120)
shares = st.sampled_from([TENTHS, {"train": 0.5, "test": 0.5}, {"train": 0.7, "test": 0.2, "other": 0.1}])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(items, shares, st.integers(0, 2), st.booleans())
def test_groups_stay_whole_and_classes_are_in_every_part(rows, fractions, seed, pure):
    groups = [group for group, _ in rows]
    labels = [group % 4 if pure else label for group, label in rows]
    if len(set(groups)) < len(fractions):
        with pytest.raises(ValueError, match="groups that have nothing in common: expected at least"):
            split_groups(groups, labels, fractions, seed)
        return
    parts = split_groups(groups, labels, fractions, seed)
    assert list(parts) == list(fractions) and all(len(part) for part in parts.values())
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(rows)))
    members = [{groups[i] for i in part} for part in parts.values()]
    assert sum(map(len, members)) == len(set(groups)), "a group is in two parts"
    for part, again in zip(parts.values(), split_groups(groups, labels, fractions, seed).values(), strict=True):
        np.testing.assert_array_equal(part, again)
    counts = {label: len({g for g, own in zip(groups, labels, strict=True) if own == label}) for label in set(labels)}
    if pure and min(counts.values()) >= len(fractions):
        for part in parts.values():
            assert {labels[i] for i in part} == set(labels)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 5), min_size=20, max_size=80), shares)
def test_sizes_are_near_their_shares(sizes, fractions):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for name, part in split_groups(groups.tolist(), None, fractions).items():
        assert abs(len(part) - fractions[name] * len(groups)) <= 2 * max(sizes)


def test_each_class_has_its_shares():
    labels = np.array([0] * 300 + [1] * 60 + [2] * 2 + [3])
    parts = split_groups(range(len(labels)), labels)
    counts = np.array([np.bincount(labels[part], minlength=4) for part in parts.values()])
    np.testing.assert_array_equal(counts, [[240, 48, 1, 1], [30, 6, 0, 0], [30, 6, 1, 0]])
    assert not np.array_equal(parts["test"], split_groups(range(len(labels)), labels, seed=1)["test"])


def test_mistakes_are_named():
    for fractions in ({}, {"a": 0.5, "b": 0.4}, {"a": 1.5, "b": -0.5}):
        with pytest.raises(ValueError, match="expected positive shares with sum 1"):
            split_groups(range(10), None, fractions)
    with pytest.raises(ValueError, match="3 groups, 2 labels"):
        split_groups("abc", [0, 1])


def test_items_that_share_a_key_are_connected():
    assert connect([["a", "b"], ["c"], ["b", "d"], ["d"], ["c"]]).tolist() == [0, 1, 0, 0, 1]
    numbers = number_groups(["x", "y", "x"])
    assert numbers.tolist() == [0, 1, 0] and repeated(numbers) == 1
