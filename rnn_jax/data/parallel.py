"""Parallel texts: sentences and their translations, as tokens and in batches of similar length."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnn_jax.data.batches import BucketBatches
from rnn_jax.data.download import DataError
from rnn_jax.data.language import load_multi30k
from rnn_jax.data.padding import pad
from rnn_jax.data.text import read_text
from rnn_jax.data.vocabulary import BEGIN, END

PARALLEL_AXES: dict[str, int | None] = {
    "source": 1, "source_lengths": 0, "inputs": 1, "targets": 1, "target_lengths": 0,
}  # fmt: skip


class ParallelTexts(NamedTuple):
    """Sentences in one language, and their translations."""

    source: list[str]
    target: list[str]


def load_parallel(name: str) -> dict[str, ParallelTexts]:
    """The parts train, validation and test of "multi30k" (English to German), or of the file at that path.

    A file has a sentence, a tab and its translation in each line; of every twenty lines the nineteenth is for
    validation and the twentieth for the test.

    Raises:
        DataError: the data cannot be had, or a line is not of this form.
    """
    if name == "multi30k":
        return {split: ParallelTexts(*texts) for split, texts in load_multi30k().items()}
    if not Path(name).exists():
        raise DataError(f"corpus={name!r} is no file, and not multi30k")
    rows = []
    for number, line in enumerate(read_text(name).removesuffix("\n").split("\n"), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 2 or not all(cells):
            raise DataError(f"{name}, line {number}: {line[:60]!r}: expected a sentence, a tab, and its translation")
        rows.append(cells)
    if len(rows) < 20:
        raise DataError(f"{name} has {len(rows)} lines: expected at least 20, for training, validation and test")
    chosen = {"train": range(18), "validation": (18,), "test": (19,)}
    parts = {split: [row for i, row in enumerate(rows) if i % 20 in places] for split, places in chosen.items()}
    return {split: ParallelTexts([s for s, _ in part], [t for _, t in part]) for split, part in parts.items()}


class ParallelBatches:
    """Shuffled training batches; batch i is a pure function of i.

    Args:
        sources: tokens int `[n]` of each sentence, n ≥ 1.
        targets: of its translation.
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
