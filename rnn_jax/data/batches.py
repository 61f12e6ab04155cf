"""Shuffled batches of examples of different lengths: few shapes, little padding, batch i a pure function of i."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_jax.data.padding import pad

LABELLED_AXES: dict[str, int | None] = {"inputs": 1, "lengths": 0, "labels": 0}
"""Which axis of each array of `LabelledBatches` is the batch."""


@dataclass(frozen=True, eq=False)
class BucketBatches:
    """Endless training batches; the examples of one batch are of similar length.

    Examples are sorted into buckets by length, and padded to the bucket's. A round takes from each bucket about as many
    batches as it has examples for, in a random order. Inside a bucket examples come in one random order after the
    other, so each appears once before any appears twice. All of it follows from (seed, i).

    `group` batches after one another are of one bucket: as many as there are updates in one dispatch, whose arrays must
    have one shape. Every length that occurs is a shape to compile.

    Attributes:
        lengths: int `[N]`, the steps of each example.
        batch_size: B.
        seed: non-negative.
        group: batches in a row that share a shape.
        buckets: how many lengths there are, at most.

    Raises:
        ValueError: an argument is not of this form.
    """

    lengths: np.ndarray
    batch_size: int
    seed: int
    group: int = 1
    buckets: int = 1

    def __post_init__(self):
        if np.ndim(self.lengths) != 1 or not len(self.lengths) or np.min(self.lengths) < 0:
            raise ValueError(f"lengths has shape {np.shape(self.lengths)}: expected the steps of at least one example")
        for name, least in (("batch_size", 1), ("group", 1), ("buckets", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least {least}")

    @functools.cached_property
    def bounds(self) -> np.ndarray:
        """The padded length of each bucket, ascending."""
        return best_bounds(self.lengths, self.buckets)

    @functools.cached_property
    def members(self) -> list[np.ndarray]:
        """The examples in each bucket."""
        bucket = np.searchsorted(self.bounds, self.lengths)
        return [np.flatnonzero(bucket == b) for b in range(len(self.bounds))]

    @functools.cached_property
    def groups_per_round(self) -> np.ndarray:
        """How many groups of batches a round takes from each bucket."""
        sizes = np.array([len(examples) for examples in self.members])
        return np.maximum(1, np.round(sizes / (self.batch_size * self.group))).astype(int)

    @property
    def batches_per_epoch(self) -> int:
        """About how many batches go once through all examples."""
        return -(-len(self.lengths) // self.batch_size)

    @property
    def wasted(self) -> float:
        """The share of padding in an epoch."""
        padded = sum(len(examples) * bound for examples, bound in zip(self.members, self.bounds, strict=True))
        return float(1 - np.sum(self.lengths) / max(1, padded))

    def examples(self, i: int) -> tuple[np.ndarray, int]:
        """The numbers of the examples in batch i, `[B]`, and the length to pad them to."""
        if i < 0:
            raise ValueError(f"i={i}: expected at least 0")
        group, within = divmod(i, self.group)
        turn, place = divmod(group, int(self.groups_per_round.sum()))
        order = np.repeat(np.arange(len(self.bounds)), self.groups_per_round)
        np.random.default_rng([self.seed, 0, turn]).shuffle(order)
        bucket = int(order[place])
        before = turn * self.groups_per_round[bucket] + np.count_nonzero(order[:place] == bucket)
        first = (int(before) * self.group + within) * self.batch_size
        chosen = [self._example(bucket, k) for k in range(first, first + self.batch_size)]
        return np.array(chosen), int(self.bounds[bucket])

    def _example(self, bucket: int, k: int) -> int:
        """Number k in the endless row of a bucket's examples."""
        turn, place = divmod(k, len(self.members[bucket]))
        return int(self._order(bucket, turn)[place])

    @functools.cached_property
    def _orders(self) -> dict[tuple[int, int], np.ndarray]:
        return {}

    def _order(self, bucket: int, turn: int) -> np.ndarray:
        if (bucket, turn) not in self._orders:
            if len(self._orders) > 4 * len(self.bounds):
                self._orders.clear()
            rng = np.random.default_rng([self.seed, 1 + bucket, turn])
            self._orders[bucket, turn] = rng.permutation(self.members[bucket])
        return self._orders[bucket, turn]


def best_bounds(lengths: np.ndarray, buckets: int, candidates: int = 64) -> np.ndarray:
    """Up to so many lengths to pad to, ascending, that waste the least together: by dynamic programming.

    Args:
        lengths: int `[N]`.
        buckets: how many lengths at most.
        candidates: the lengths to choose from are so many quantiles.
    """
    ranked = np.sort(np.asarray(lengths))
    points = np.unique(np.quantile(ranked, np.linspace(0, 1, candidates), method="higher"))
    counts = np.searchsorted(ranked, points, side="right")
    # cost[j]: the padded steps of all examples up to points[j] in the buckets so far, the last one ending there.
    cost = points * counts
    choices = []
    for _ in range(min(buckets, len(points)) - 1):
        joined = cost[:, None] + points[None, :] * (counts[None, :] - counts[:, None])
        joined = np.where(np.arange(len(points))[:, None] < np.arange(len(points))[None, :], joined, np.inf)
        choices.append(np.argmin(joined, axis=0))
        alone = np.append(np.inf, np.min(joined, axis=0)[1:])
        cost = np.where(np.arange(len(points)) == 0, cost, alone)
    bounds, end = [points[-1]], len(points) - 1
    for choice in reversed(choices):
        if end == 0:
            break
        end = int(choice[end])
        bounds.append(points[end])
    return np.array(bounds[::-1])


def in_order(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """All examples once, sorted by length and cut into batches, for evaluation; the last one may be smaller."""
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


class LabelledBatches:
    """Shuffled training batches of labelled sequences, few shapes; batch i is a pure function of i.

    Args:
        sequences: `[t, ...]` each: tokens, or vectors.
        labels: int `[N]`.
        batch_size: B.
        seed: of the order.
        group: batches in a row that share a shape, those of one dispatch.
        buckets: how many lengths there are, at most.
    """

    def __init__(
        self,
        sequences: Sequence[np.ndarray],
        labels: np.ndarray,
        batch_size: int,
        seed: int,
        *,
        group: int = 1,
        buckets: int = 4,
    ):
        self.sequences, self.labels = sequences, labels
        lengths = np.array([len(sequence) for sequence in sequences])
        self.order = BucketBatches(lengths, batch_size, seed, group, buckets)

    @functools.cached_property
    def padding(self) -> str:
        """How much padding there is, in words."""
        lengths = self.order.lengths
        alone = 1 - lengths.mean() / max(1, lengths.max())
        return (
            f"padding: {alone:.0%} of the steps if all were padded to the longest ({lengths.max()}), "
            f"{self.order.wasted:.0%} in buckets of {', '.join(map(str, self.order.bounds))}"
        )

    def batch(self, i: int) -> dict[str, Any]:
        """`{"inputs": [T, B, ...], "lengths": [B], "labels": [B]}`."""
        examples, length = self.order.examples(i)
        padded = pad([self.sequences[k] for k in examples], length)
        return {"inputs": padded.values, "lengths": padded.lengths, "labels": self.labels[examples]}
