"""The classifiers of all folds side by side: their training batches, and what they predict of sequences."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np

from experiments.genomics.data import Sequences
from experiments.genomics.folds import Folds
from experiments.genomics.model import NucleotideClassifier
from rnn_jax.typing import Params

BATCH_AXES: dict[str, int | None] = {"codes": 2, "lengths": 1, "labels": 1}
"""Which axis of each array of a batch is the batch; the first one is the fold."""


@dataclasses.dataclass(frozen=True, eq=False)
class NucleotideBatches:
    """Training batches for the models of all folds, batch i a pure function of i.

    Attributes:
        sequences: all of them.
        labels: int32 `[N]`.
        folds: which model is trained on which.
        both_strands: half of the sequences are replaced by their other strand.
    """

    sequences: Sequences
    labels: np.ndarray
    folds: Folds
    both_strands: bool = False

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """`{"codes": [K, T, B], "lengths": [K, B], "labels": [K, B]}`."""
        examples = self.folds.examples(i)
        strand = np.random.default_rng([self.folds.seed, i]).integers(2, size=examples.shape) * self.both_strands
        codes = np.moveaxis(self.sequences.codes[strand, :, examples], -1, 1)
        return {"codes": codes, "lengths": self.sequences.lengths[examples], "labels": self.labels[examples]}


@dataclasses.dataclass(frozen=True, eq=False)
class FoldModels:
    """The models of all folds, and the sequences that they classify.

    Attributes:
        rebuild: from the parameters of one model to the model, see `rnn_jax.nnx.functional`.
        sequences: all of them.
        both_strands: whether probabilities are the mean over both.
    """

    rebuild: Callable[[Params], NucleotideClassifier]
    sequences: Sequences
    both_strands: bool = False

    @functools.cached_property
    def _predict(self) -> Callable[..., jax.Array]:
        return jax.jit(jax.vmap(lambda params, *inputs: jax.nn.softmax(self.rebuild(params)(*inputs))))

    @functools.cached_property
    def _contribute(self) -> Callable[..., jax.Array]:
        return jax.jit(jax.vmap(lambda params, *inputs: self.rebuild(params).contributions(*inputs)))

    def _inputs(self, rows: np.ndarray, strand: int = 0) -> tuple[np.ndarray, np.ndarray]:
        return np.swapaxes(self.sequences.codes[strand][:, rows], 0, 1), self.sequences.lengths[rows]

    def probabilities(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """p(class) `[K, M, C]` by K models for the sequences `rows` int `[K, M]`; -1 stands for any one."""
        strands = range(1 + self.both_strands)
        return np.mean([self._predict(params, *self._inputs(rows, strand)) for strand in strands], axis=0)

    def contributions(self, params: Params, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """What each base at each place adds to the log-odds of labels int `[K, M]`: `[K, M, T, 4]`."""
        return np.moveaxis(np.asarray(self._contribute(params, *self._inputs(rows), labels)), 1, 2)
