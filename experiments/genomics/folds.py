"""Cross-validation in one program: the models of all folds side by side, each trained on its own examples."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from rnn_jax.data.batches import BucketBatches
from rnn_jax.typing import Params


@dataclasses.dataclass(frozen=True, eq=False)
class Folds:
    """Who learns from what: model k is tested on fold k, validated on the next one, and trained on all others.

    Attributes:
        fold: int `[N]`, from 0 to K - 1, of each example.
        batch_size: B, of each model.
        seed: non-negative, of the order of examples.
        hold_out: without, models are trained on the folds for validation, too.
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
        own = [self.training(k) for k in range(self.count)]
        seeds = range(self.seed * self.count, (self.seed + 1) * self.count)
        return [(e, BucketBatches(np.ones(len(e), int), self.batch_size, s)) for e, s in zip(own, seeds, strict=True)]

    def examples(self, i: int) -> np.ndarray:
        """The examples in batch i of each model, int `[K, B]`, a pure function of i."""
        return np.stack([own[order.examples(i)[0]] for own, order in self._orders])


def stack_params(build: Callable[[jax.Array], tuple[Params, Any]], key: jax.Array, count: int) -> tuple[Params, Any]:
    """The parameters of so many models, drawn apart, each leaf `[K, ...]`, and the way from those of one to a model.

    Args:
        build: from a typed key to what `rnn_jax.nnx.functional` returns.
        key: a typed key.
        count: K.
    """
    _, rebuild = build(jax.random.key(0))  # the values do not matter
    return jax.vmap(lambda own: build(own)[0])(jax.random.split(key, count)), rebuild


def in_order(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What models say of the examples `rows [K, M]`, values `[K, M, ...]`, in the order of the examples `[N, ...]`."""
    used = rows >= 0
    return values[used][np.argsort(rows[used])]
