"""Divide the user's data into parts so that equal or related items stay together and each class is in each part."""

from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from rnn_jax.typing import Array

TENTHS: Mapping[str, float] = MappingProxyType({"train": 0.8, "validation": 0.1, "test": 0.1})
"""The usual shares of the parts."""


def split_groups(
    groups: Sequence[Hashable],
    labels: Array | Sequence[int] | None = None,
    fractions: Mapping[str, float] = TENTHS,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Divide items into parts at random: groups stay whole, and each class is spread over the parts as all items are.

    A class with fewer groups than there are parts is in the largest parts, of equal ones in the last: with 80 % for
    training, 10 % for validation and 10 % for the test, one group is for training and two for training and test. With
    more groups, it is in every part. A group of several classes counts as one of its most frequent class.

    Args:
        groups: a key for each of N items; items with equal keys come into one part.
        labels: the class of each item, int `[N]`; None where there are none.
        fractions: the share of the items of each part, by its name; their sum is 1.
        seed: of the shuffling; equal arguments give equal parts.

    Returns:
        The places of the items of each part, int `[n]`, rising.

    Raises:
        ValueError: the shares are no shares, there are not equally many groups and labels, or a part stays empty for
            want of groups.
    """
    if not fractions or min(fractions.values()) <= 0 or abs(sum(fractions.values()) - 1) > 1e-6:
        raise ValueError(f"fractions={dict(fractions)}: expected positive shares with sum 1")
    numbers = number_groups(groups)
    classes = np.zeros(len(numbers), int) if labels is None else np.unique(np.asarray(labels), return_inverse=True)[1]
    if len(classes) != len(numbers):
        raise ValueError(f"{len(numbers)} groups, {len(classes)} labels: expected one of each for every item")
    sizes = np.bincount(numbers)
    if len(sizes) < len(fractions):
        raise ValueError(
            f"{len(numbers)} items in {len(sizes)} groups that have nothing in common: expected at least "
            f"{len(fractions)}, one for each of {', '.join(fractions)}"
        )
    strata = _class_of_group(numbers, classes, len(sizes))
    names, shares = list(fractions), np.array(list(fractions.values()))
    part, owed = np.full(len(sizes), -1), np.zeros(len(names))
    for stratum in range(classes.max() + 1):
        members = np.random.default_rng([seed, stratum]).permutation(np.flatnonzero(strata == stratum))
        part[members] = _deal(sizes[members].tolist(), shares.tolist(), owed.tolist())
        owed += shares * sizes[members].sum() - np.bincount(part[members], sizes[members], len(names))
    _fill_empty(part, sizes, len(names))
    return {name: np.flatnonzero(part[numbers] == k) for k, name in enumerate(names)}


def _class_of_group(numbers: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """The most frequent class in each group, of equally frequent ones the first."""
    codes, frequency = np.unique(numbers * (classes.max() + 1) + classes, return_counts=True)
    group, own = np.divmod(codes, classes.max() + 1)
    order = np.lexsort((-own, frequency, group))  # the last one of each group is its class
    found = np.zeros(count, int)
    found[group[order]] = own[order]
    return found


def _deal(sizes: Sequence[int], shares: Sequence[float], owed: Sequence[float]) -> list[int]:
    """The part of each group, in the order in which they come, so that all parts fill evenly.

    Args:
        sizes: of the groups.
        shares: of the parts.
        owed: what the parts lack of their shares of other classes, which decides between equals.
    """
    parts, total, dealt = range(len(shares)), sum(sizes), []
    lack = [share * total for share in shares]
    empty = set(parts)
    for i, size in enumerate(sizes):
        if len(sizes) - i <= len(empty):  # else a part would have none
            best = max(empty, key=lambda k: (round(lack[k], 6), k))
        else:
            most = max(lack)
            fitting = [k for k in parts if lack[k] >= min(size / 2, most) - 1e-9]
            best = max(fitting, key=lambda k: (round(lack[k] / shares[k], 6), shares[k], round(owed[k], 6), k))
        lack[best] -= size
        empty.discard(best)
        dealt.append(best)
    return dealt


def _fill_empty(part: np.ndarray, sizes: np.ndarray, parts: int) -> None:
    """Where all classes are too rare for some part, it gets a small group of the part with the most groups."""
    for k in range(parts):
        if not (part == k).any():
            counts = np.bincount(part, minlength=parts)
            others = np.flatnonzero(part == counts.argmax())
            part[others[sizes[others].argmin()]] = k


def number_groups(keys: Sequence[Hashable]) -> np.ndarray:
    """Keys as numbers int `[N]`, equal ones for equal keys, from 0 in the order in which they first come."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], int)


def connect(items: Sequence[Sequence[Hashable]]) -> np.ndarray:
    """The group of each item, int `[N]`: items that share a key, directly or by way of others, are in one.

    Args:
        items: the keys of each of N items.
    """
    parent = list(range(len(items)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    first: dict[Hashable, int] = {}
    for i, keys in enumerate(items):
        for key in keys:
            parent[root(i)] = root(first.setdefault(key, i))
    return number_groups([root(i) for i in range(len(items))])


def repeated(groups: np.ndarray) -> int:
    """How many items are as an earlier one: those after the first of their group."""
    return len(groups) - len(np.unique(groups))
