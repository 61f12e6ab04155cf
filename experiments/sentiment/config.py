"""The options of a classifier of texts, as fields of an experiment's Config: tokens, embedding, pooling, dropout."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.sentiment.grams import CharGrams
from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.data import Subwords, Tokenizer, Words
from rnn_jax.models.config import SequenceConfig, build_matched
from rnn_jax.models.text_classifier import TextClassifier


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextSettings(SequenceConfig):
    """Embedded words or subwords, layers over them, one vector for the text.

    Raises:
        ValueError: a value is out of range.
    """

    tokens: str = "gram"
    """word, subword, or gram: a word as the bag of the character n-grams in it."""
    min_count: int = 2
    """Words that the training texts have less often are unknown."""
    gram_count: int = 6
    """So are n-grams."""
    subwords: int = 4000
    """How many subwords are learned."""
    longest: int = 400
    """Tokens of a text that are read; what comes after them is left out, with a warning."""
    embedding_size: int = 32
    """Features of an embedded token."""
    pooling: str = "max"
    """What a text is told by: last, max, mean or attention over the steps."""
    direct: bool = True
    """Score the sum of the embedded words past the layers, too."""
    word_dropout: float = 0.2
    """The part of the words that training makes unknown."""
    bag_dropout: float = 0.3
    """The part of the n-grams that training leaves out."""
    embedding_dropout: float = 0.5
    """Rate on embedded tokens."""
    pooled_dropout: float = 0.5
    """Rate on the vector of a text."""

    def __post_init__(self):
        check_choice("tokens", self.tokens, ("word", "subword", "gram"))
        for name in ("word_dropout", "bag_dropout", "embedding_dropout", "pooled_dropout"):
            check_rate(name, getattr(self, name))
        for name in ("min_count", "gram_count", "subwords", "longest", "embedding_size"):
            check_size(name, getattr(self, name))
        super().__post_init__()

    @property
    def described(self) -> str:
        """The model in a few words."""
        direction = "bidirectional " if self.bidirectional else ""
        recurrent = f"{direction}{self.cell} {self.layers} x {self.hidden_size}, {self.tokens}s"
        return recurrent if self.model == "recurrent" else f"transformer, {self.tokens}s"

    def fit_tokenizer(self, texts: Sequence[str]) -> Tokenizer:
        """The tokenizer of training texts."""
        if self.tokens == "word":
            return Words.fit(texts, min_count=self.min_count)
        if self.tokens == "gram":
            return CharGrams.fit(texts, min_count=self.gram_count)
        return Subwords.fit(texts, self.subwords)

    def read_tokenizer(self, state: str) -> Tokenizer:
        """A tokenizer out of what its `to_json` returned."""
        return {"word": Words, "subword": Subwords, "gram": CharGrams}[self.tokens].from_json(state)

    def classifier(self, vocabulary_size: int, classes: int, key: jax.Array) -> TextClassifier:
        """The model, its initial values drawn with a typed key; a transformer is as large as the recurrent model."""

        def build(settings: TextSettings) -> TextClassifier:
            rngs = nnx.Rngs(params=key)
            return TextClassifier(
                settings.layer(settings.embedding_size, rngs),
                classes,
                vocabulary_size,
                word_dropout=settings.word_dropout,
                bag_dropout=settings.bag_dropout,
                direct=settings.direct,
                pooling=settings.pooling,
                dropout_rate=settings.pooled_dropout,
                input_dropout=settings.embedding_dropout,
                dropout_kind=settings.dropout_kind,
                dtype=jnp.dtype(settings.dtype),
                rngs=rngs,
            )

        return build_matched(self, build)
