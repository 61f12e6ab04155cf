"""Cross-validation: which examples are in which fold, and which model is trained on which."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from rnn_jax.data.batches import BucketBatches


@dataclasses.dataclass(frozen=True, eq=False)
class Folds:
    """Model k is tested on fold k, validated on the next one, and trained on all others.

    Attributes:
        fold: int `[N]`, from 0 to K - 1, of each example.
        batch_size: B, of each model.
        seed: non-negative, of the order of examples.
        hold_out: without, models are trained on the folds for validation too.
    """

    fold: np.ndarray
    batch_size: int
    seed: int
    hold_out: bool = True

    @property
    def count(self) -> int:
        """K."""
        return int(self.fold.max()) + 1

    def training(self, k: int) -> np.ndarray:
        """The examples that model k learns from, int `[n]`."""
        held = (k, (k + 1) % self.count) if self.hold_out else (k,)
        return np.flatnonzero(~np.isin(self.fold, held))

    @functools.cached_property
    def test(self) -> np.ndarray:
        """The examples that each model is tested on, int `[K, M]`; rows are filled up with -1."""
        rows = [np.flatnonzero(self.fold == k) for k in range(self.count)]
        longest = max(len(row) for row in rows)
        return np.array([np.pad(row, (0, longest - len(row)), constant_values=-1) for row in rows])

    @property
    def validation(self) -> np.ndarray:
        """The examples that each model is validated on, as in `test`."""
        return np.roll(self.test, -1, axis=0)

    @functools.cached_property
    def _orders(self) -> list[tuple[np.ndarray, BucketBatches]]:
        training = [self.training(k) for k in range(self.count)]
        seeds = range(self.seed * self.count, (self.seed + 1) * self.count)
        return [
            (e, BucketBatches(np.ones(len(e), int), self.batch_size, s)) for e, s in zip(training, seeds, strict=True)
        ]

    def examples(self, i: int) -> np.ndarray:
        """The examples in batch i of each model, int `[K, B]`, a pure function of i."""
        return np.stack([training[order.examples(i)[0]] for training, order in self._orders])


def stratified_folds(texts: Sequence[str], labels: np.ndarray, folds: int, classes: Sequence[str] = ()) -> np.ndarray:
    """The fold of each example, int `[N]`: each class spread evenly, equal texts always in one fold, always the same.

    Args:
        texts: or whatever is equal for examples that stay together.
        labels: int `[N]`.
        folds: how many.
        classes: their names, for messages.

    Raises:
        ValueError: a class has fewer different texts than there are folds.
    """
    first = {text: i for i, text in reversed(list(enumerate(texts)))}
    leaders = np.array(sorted(first.values()))
    fold = np.zeros(len(texts), int)
    for label in range(int(labels.max()) + 1):
        members = np.random.default_rng([label, folds]).permutation(leaders[labels[leaders] == label])
        if len(members) < folds:
            name = repr(classes[label]) if classes else label
            raise ValueError(
                f"folds={folds}: label {name} has {len(members)} different texts, expected at least as many"
            )
        # Where one class ends the next one goes on, so that folds are as equal as can be.
        fold[members] = (np.arange(len(members)) + label) % folds
    return fold[[first[text] for text in texts]]


def by_example(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values `[K, M, ...]` for the examples `rows [K, M]`, in the order of the examples `[N, ...]`."""
    used = rows >= 0
    return values[used][np.argsort(rows[used])]
