"""Parallel texts: pairs of a source and a target, side by side and in batches of similar length."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnn_jax.data.batches import BucketBatches
from rnn_jax.data.padding import pad
from rnn_jax.data.vocabulary import BEGIN, END

PARALLEL_AXES: dict[str, int | None] = {
    "source": 1, "source_lengths": 0, "inputs": 1, "targets": 1, "target_lengths": 0,
}  # fmt: skip
"""Which axis of each array of `teacher_forcing` is the batch."""


class ParallelBatches:
    """Shuffled training batches; batch i is a pure function of i.

    Args:
        sources: tokens int `[n]` of each source, n ≥ 1.
        targets: of its target.
        batch_size: B.
        seed: of the order.
        group: batches in a row that share a shape, those of one dispatch.
        buckets: how many shapes there are, at most.
    """

    def __init__(
        self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], batch_size: int, seed: int,
        *, group: int = 1, buckets: int = 1,
    ):  # fmt: skip
        self.sources, self.targets = sources, targets
        self.order = BucketBatches(pair_lengths(sources, targets), batch_size, seed, group, buckets)

    def batch(self, i: int) -> dict[str, Any]:
        """Batch i, as `teacher_forcing` gives it."""
        examples, length = self.order.examples(i)
        return teacher_forcing([self.sources[k] for k in examples], [self.targets[k] for k in examples], length)


def teacher_forcing(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], length: int | None = None
) -> dict[str, Any]:
    """Pairs side by side, each side padded to `length`, or to its longest.

    Returns:
        `source` `[T, B]`, `source_lengths` `[B]`, `targets` `[T, B]` with their end, `target_lengths` `[B]`, and
        `inputs` `[T, B]`, the targets one step late, after a begin.
    """
    source = pad(sources, length)
    target = pad([np.append(t, END).astype(np.int32) for t in targets], length)
    inputs = np.concatenate([np.full_like(target.values[:1], BEGIN), target.values[:-1]])
    return {
        "source": source.values, "source_lengths": source.lengths,
        "inputs": inputs, "targets": target.values, "target_lengths": target.lengths,
    }  # fmt: skip


def pair_lengths(sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> np.ndarray:
    """How many steps each pair takes: those of the source, or of the target with its end."""
    return np.array([max(len(s), len(t) + 1) for s, t in zip(sources, targets, strict=True)])
