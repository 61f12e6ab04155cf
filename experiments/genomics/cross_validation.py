"""Models of DNA for all folds of a cross-validation: their batches, their answers, and what these rest on."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.common.naive_bayes import naive_bayes
from experiments.genomics.data import encode_nucleotides, reverse_complement, stratified_folds
from experiments.genomics.folds import Folds, in_order, stack_params
from experiments.genomics.model import NucleotideClassifier, NucleotideSettings
from rnn_jax.data.padding import pad
from rnn_jax.metrics import classification_scores
from rnn_jax.nnx import functional
from rnn_jax.typing import Params

BATCH_AXES: dict[str, int | None] = {"codes": 2, "lengths": 1, "labels": 1}
"""Which axis of each array of a batch is the batch; the first one is the fold."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldSettings(NucleotideSettings):
    """Classifiers of nucleotides, one for each fold of labelled sequences.

    Raises:
        ValueError: a value is out of range.
    """

    data: str = "splice"
    """splice, or the path of your own labelled sequences: .fasta with >NAME LABEL, or a table of labels and texts."""
    folds: int = 10
    """Parts of the data, each tested by a model that has not seen it; at least 3."""
    batch_size: int = 32
    """Sequences in an update of each model."""

    def __post_init__(self):
        if self.folds < 3:
            raise ValueError(f"folds={self.folds}: expected at least 3, for training, validation and test")
        super().__post_init__()

    def split(self, texts: Sequence[str], labels: np.ndarray, seed: int, hold_out: bool = True) -> Folds:
        """Which model learns from which sequences; the seed is that of their order in training."""
        return Folds(stratified_folds(texts, labels, self.folds), self.batch_size, seed, hold_out)

    def models(
        self, classes: int, length: int, key: jax.Array
    ) -> tuple[Params, Callable[[Params], NucleotideClassifier]]:
        """The initial parameters of all models, by a typed key, and the way from those of one to a model."""
        return stack_params(lambda k: functional(self.classifier(classes, length, k)), key, self.folds)


class Sequences(NamedTuple):
    """Sequences of nucleotides side by side."""

    codes: np.ndarray
    """int32 `[2, T, N]`: each as it stands, and its other strand."""
    lengths: np.ndarray
    """int32 `[N]`."""


def encode_sequences(texts: Sequence[str], length: int | None = None) -> Sequences:
    """Texts of nucleotides as codes, padded to a length, or to that of the longest."""
    codes = [encode_nucleotides(text) for text in texts]
    padded = [pad(strand, length) for strand in (codes, [reverse_complement(c) for c in codes])]
    return Sequences(np.stack([p.values for p in padded]), padded[0].lengths)


@dataclasses.dataclass(frozen=True, eq=False)
class NucleotideBatches:
    """Training batches for the models of all folds, batch i a pure function of i.

    Attributes:
        sequences: all of them.
        labels: int32 `[N]`.
        folds: who learns from what.
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
    """The models of all folds, and what they say of sequences.

    Attributes:
        rebuild: from the parameters of one model to the model, see `rnn_jax.nnx.functional`.
        sequences: all of them.
        both_strands: the mean of what is said of both.
    """

    rebuild: Callable[[Params], NucleotideClassifier]
    sequences: Sequences
    both_strands: bool = False

    @functools.cached_property
    def _answer(self) -> Callable[..., jax.Array]:
        return jax.jit(jax.vmap(lambda params, *inputs: jax.nn.softmax(self.rebuild(params)(*inputs))))

    @functools.cached_property
    def _contribute(self) -> Callable[..., jax.Array]:
        return jax.jit(jax.vmap(lambda params, *inputs: self.rebuild(params).contributions(*inputs)))

    def _inputs(self, rows: np.ndarray, strand: int = 0) -> tuple[np.ndarray, np.ndarray]:
        return np.swapaxes(self.sequences.codes[strand][:, rows], 0, 1), self.sequences.lengths[rows]

    def answers(self, params: Params, rows: np.ndarray) -> np.ndarray:
        """p(class) `[K, M, C]` by K models for the sequences `rows` int `[K, M]`; -1 stands for any."""
        strands = range(1 + self.both_strands)
        return np.mean([self._answer(params, *self._inputs(rows, strand)) for strand in strands], axis=0)

    def contributions(self, params: Params, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """What each base at each place adds to the log-odds of labels int `[K, M]`: `[K, M, T, 4]`."""
        return np.moveaxis(np.asarray(self._contribute(params, *self._inputs(rows), labels)), 1, 2)


def cross_validated(
    models: FoldModels, params: Params, folds: Folds, labels: np.ndarray
) -> tuple[dict[str, Any], np.ndarray]:
    """Scores of models on the folds that they have not seen, and p(class) `[N, C]` of all sequences.

    The accuracy is the mean of those on the folds, which are in `folds`; `errors` has the % of each class gone wrong.
    """
    found = in_order(models.answers(params, folds.test), folds.test)
    right = 100.0 * (found.argmax(axis=1) == labels)
    by_fold = [float(right[folds.fold == k].mean()) for k in range(folds.count)]
    errors = [100 - float(right[labels == label].mean()) for label in range(found.shape[1])]
    scores = classification_scores(found, labels) | {"folds": by_fold, "errors": errors}
    return scores | {"accuracy": float(np.mean(by_fold))}, found


def class_contributions(
    models: FoldModels, params: Params, folds: Folds, labels: np.ndarray, classes: Sequence[str], most: int = 20
) -> dict[str, np.ndarray]:
    """What each base at each place adds to the log-odds of a class: class -> the mean over its sequences, `[T, 4]`.

    Each model is asked about sequences of its test fold, the first of each class, up to `most` of them.
    """
    means = {}
    for label, name in enumerate(classes):
        own = [row[(row >= 0) & (labels[row] == label)] for row in folds.test]
        count = min(most, *(len(row) for row in own))
        rows = np.stack([row[:count] for row in own])
        means[name] = models.contributions(params, rows, np.full(rows.shape, label)).mean(axis=(0, 1))
    return means


def bayes_accuracy(sequences: Sequences, labels: np.ndarray, folds: Folds) -> float:
    """The % right by naive Bayes over the nucleotide at each place, the mean over folds."""
    codes, length = sequences.codes[0], sequences.codes.shape[1]
    tokens = (codes + 16 * np.arange(length)[:, None]).T
    tokens = [row[:n] for row, n in zip(tokens, sequences.lengths, strict=True)]
    right = []
    for k in range(folds.count):
        test = np.flatnonzero(folds.fold == k)
        train = np.flatnonzero(folds.fold != k)
        found = naive_bayes(
            [tokens[i] for i in train], labels[train], [tokens[i] for i in test], 16 * length, int(labels.max()) + 1
        )
        right.append(100 * float(np.mean(found == labels[test])))
    return float(np.mean(right))


def verdicts(
    models: FoldModels, params: Params, count: int, classes: Sequence[str], letters: Sequence[str], places: int = 4
) -> list[str]:
    """Class, probability and strongest places of all sequences, in lines; the mean of what `count` models say.

    Args:
        models: with the sequences.
        params: of the models.
        count: how many models there are.
        classes: their names.
        letters: the sequences as text.
        places: how many are named, from the first to the last; only those that speak for the class.
    """
    rows = np.tile(np.arange(len(letters)), (count, 1))
    found = models.answers(params, rows).mean(axis=0)
    labels = np.tile(found.argmax(axis=1), (count, 1))
    weights = models.contributions(params, rows, labels).mean(axis=0).sum(axis=-1)  # [M, T]
    lines = []
    for text, row, weight in zip(letters, found, weights, strict=True):
        strongest = sorted(i for i in weight.argsort()[-places:] if weight[i] > 0 and i < len(text))
        named = " ".join(f"{text[i]}{i + 1}" for i in strongest)
        lines.append(f"{classes[row.argmax()]}  {row.max():.3f}  {named}")
    return lines


def examples(texts: Sequence[str], labels: np.ndarray, found: np.ndarray, classes: Sequence[str]) -> str:
    """Sequences that were taken for another class, the surest first, and some that were not, in lines."""
    taken, sure = found.argmax(axis=1), found.max(axis=1)
    order = np.lexsort((-sure, taken == labels))
    wrong = int((taken != labels).sum())
    lines = [
        f"{'right' if taken[i] == labels[i] else 'WRONG'}  is {classes[labels[i]]}  taken for {classes[taken[i]]} "
        f"{sure[i]:.3f}  {texts[i]}"
        for i in [*order[: min(wrong, 20)], *order[wrong::97][:15]]
    ]
    return "\n".join([f"{wrong} of {len(labels)} wrong", *lines]) + "\n"
