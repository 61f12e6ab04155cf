"""Which text is read by which language model."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_size
from rnn_jax.models import LanguageModel, RecurrentConfig
from rnn_jax.train import FitConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class LanguageModelConfig(RecurrentConfig):
    """A recurrent language model over characters.

    Raises:
        ValueError: a value is out of range.
    """

    embedding_size: int = 64
    """Features of an embedded character."""
    tied: bool = False
    """Score with the transposed embedding; embedding_size must equal hidden_size."""
    hidden_size: int = 320
    dropout: float = 0.0

    def __post_init__(self):
        check_size("embedding_size", self.embedding_size)
        super().__post_init__()

    def build(self, vocabulary_size: int, key: jax.Array) -> LanguageModel:
        """The model, its initial values drawn with a typed key."""
        return LanguageModel(
            vocabulary_size, self.embedding_size, self.stack(self.embedding_size), tied=self.tied,
            dropout_rate=self.dropout, dropout_kind=self.dropout_kind, dtype=jnp.dtype(self.dtype),
            rngs=nnx.Rngs(params=key),
        )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """A recurrent language model over the characters of a text; the last tenth is for validation, or for the test."""

    corpus: str = "shakespeare"
    """shakespeare, tinyshakespeare, or the path of a text file, packed or not."""
    hold_out_test: bool = False
    """Keep the last tenth for a test that chooses nothing; validation is then the last twentieth of what goes before.
    Without, the result is the best of all evaluations on the last tenth, which chose the update, too."""
    batch_size: int = 64
    """Rows of the text that are read in parallel."""
    length: int = 64
    """Characters of a row in one batch: how far gradients reach back."""
    model: LanguageModelConfig = LanguageModelConfig()
    fit: FitConfig = FitConfig(cpu_devices=1, steps=1200, evaluate_every=400, learning_rate=5e-3)

    def __post_init__(self):
        for name in ("batch_size", "length"):
            check_size(name, getattr(self, name))
