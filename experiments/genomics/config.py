"""Which sequences, in how many folds, and by which models."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.common.labelled import LabelledTexts
from experiments.common.stacked import stack_params
from experiments.genomics.data import SOURCES, canonical, load_nucleotides
from experiments.genomics.folds import Folds, stratified_folds
from experiments.genomics.model import NucleotideClassifier
from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.models import SequenceConfig, build_matched
from rnn_jax.models.classifier import POOLINGS
from rnn_jax.nnx import functional
from rnn_jax.train import HoldOutConfig, key_for
from rnn_jax.typing import Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossValidationConfig:
    """Which sequences, and how they are divided.

    Raises:
        ValueError: a value is out of range.
    """

    data: str = "splice"
    """splice, or the path of your own labelled sequences: FASTA with >NAME LABEL, GenBank, or a table."""
    label_field: str = ""
    """What of a header is the label: the number of a word, the name being 1; last; or KEY of KEY=VALUE or GenBank."""
    labels_file: str = ""
    """A table with the name and the label of each sequence, where headers have none."""
    text_column: str = ""
    """The column of a table with the sequences: its name, or its number from 1; usual names are known."""
    label_column: str = ""
    """The column of a table with the labels."""
    folds: int = 10
    """Parts of the data, each tested by a model that has not seen it; at least 3."""
    batch_size: int = 32
    """Sequences in an update of each model."""
    both_strands: bool = False
    """The class is the same on the other strand: train on both, and average over both. Not so for splice sites."""

    def __post_init__(self):
        check_size("batch_size", self.batch_size)
        if self.folds < 3:
            raise ValueError(f"folds={self.folds}: expected at least 3, for training, validation and test")

    def load(self) -> LabelledTexts:
        """The sequences with their labels, see `load_nucleotides`."""
        return load_nucleotides(
            self.data, label_field=self.label_field, labels_file=self.labels_file,
            text_column=self.text_column, label_column=self.label_column,
        )  # fmt: skip

    def keys(self, texts: Sequence[str]) -> Sequence[str]:
        """What is equal for sequences that stay in one fold: they are copies, or the other strand, of each other."""
        return texts if self.data in SOURCES else [canonical(text) for text in texts]

    def split(self, texts: Sequence[str], labels: np.ndarray, fit: HoldOutConfig, classes: Sequence[str] = ()) -> Folds:
        """Which sequences are in which fold, and which model is trained on which."""
        fold = stratified_folds(self.keys(texts), labels, self.folds, classes)
        return Folds(fold, self.batch_size, fit.seed, fit.hold_out)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NucleotideConfig(SequenceConfig):
    """A classifier of nucleotides.

    Raises:
        ValueError: a value is out of range.
    """

    embedding_size: int = 16
    """Features of an embedded nucleotide."""
    pooling: str = "attention"
    """What is taken of the layers: last, max, mean or attention over the steps."""
    masked: float = 0.2
    """The part of the nucleotides that training makes unknown."""
    pooled_dropout: float = 0.3
    """Rate on the vector of a sequence."""
    hidden_size: int = 32
    dropout: float = 0.3

    def __post_init__(self):
        check_size("embedding_size", self.embedding_size)
        check_choice("pooling", self.pooling, POOLINGS)
        check_rate("masked", self.masked)
        check_rate("pooled_dropout", self.pooled_dropout)
        super().__post_init__()

    def build(self, classes: int, length: int, key: jax.Array) -> NucleotideClassifier:
        """The model, its initial values drawn with a typed key; a transformer is as large as the recurrent model."""

        def build(config: NucleotideConfig) -> NucleotideClassifier:
            rngs = nnx.Rngs(params=key)
            layer = config.layer(config.embedding_size, rngs)
            return NucleotideClassifier(
                layer, classes, length, masked=config.masked, rngs=rngs, pooling=config.pooling,
                dropout_rate=config.pooled_dropout, dtype=jnp.dtype(config.dtype),
            )  # fmt: skip

        return build_matched(self, build)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Classifiers of nucleotides, one for each fold of labelled sequences."""

    cross_validation: CrossValidationConfig = CrossValidationConfig()
    model: NucleotideConfig = NucleotideConfig()
    # The norm to clip at is never reached: by that of all gradients together, one model would depend on the others.
    fit: HoldOutConfig = HoldOutConfig(
        steps=600, evaluate_every=100, learning_rate=1e-2, averaging=0.98, weight_decay=0.01, clip_norm=1e6
    )

    def models(self, classes: int, length: int) -> tuple[Params, Callable[[Params], NucleotideClassifier]]:
        """The initial parameters of the models of all folds, and the way from those of one to a model.

        Args:
            classes: C.
            length: of the longest sequence.
        """
        key = key_for(self.fit.seed, "init")
        return stack_params(
            lambda model_key: functional(self.model.build(classes, length, model_key)),
            key,
            self.cross_validation.folds,
        )
