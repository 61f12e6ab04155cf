"""Which texts are read, as which tokens, by which classifier."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.sentiment.grams import CharGrams
from experiments.sentiment.model import TextClassifier
from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.data import Subwords, Tokenizer, Words
from rnn_jax.models import SequenceConfig, build_matched
from rnn_jax.models.classifier import POOLINGS
from rnn_jax.train import FitConfig

TOKENIZERS = {"word": Words, "subword": Subwords, "gram": CharGrams}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenConfig:
    """What the tokens of a text are, and how many of them are read.

    Raises:
        ValueError: a value is out of range.
    """

    tokens: str = "gram"
    """word, subword, or gram: a word as the bag of the character n-grams in it."""
    min_count: int = 2
    """Words that the training texts have less often are unknown."""
    gram_count: int = 6
    """So are n-grams."""
    pair_count: int = 0
    """With grams, pairs of words that at least so many training texts have are read beside these; 0 for none."""
    subwords: int = 4000
    """How many subwords are learned."""
    longest: int = 400
    """Tokens of a text that are read; what comes after them is left out, with a warning."""

    def __post_init__(self):
        check_choice("tokens", self.tokens, tuple(TOKENIZERS))
        for name in ("min_count", "gram_count", "subwords", "longest"):
            check_size(name, getattr(self, name))
        if self.pair_count < 0 or (self.pair_count and self.tokens != "gram"):
            raise ValueError(f"pair_count={self.pair_count}: expected 0, or a number above it with tokens='gram'")

    def fit_tokenizer(self, texts: Sequence[str]) -> Tokenizer:
        """The tokenizer of training texts."""
        if self.tokens == "word":
            return Words.fit(texts, min_count=self.min_count)
        if self.tokens == "gram":
            return CharGrams.fit(texts, min_count=self.gram_count, pair_count=self.pair_count)
        return Subwords.fit(texts, self.subwords)

    def read_tokenizer(self, state: str) -> Tokenizer:
        """A tokenizer out of what its `to_json` returned."""
        return TOKENIZERS[self.tokens].from_json(state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextClassifierConfig(SequenceConfig):
    """Embedded tokens, layers over them, one vector for the text.

    Raises:
        ValueError: a value is out of range.
    """

    embedding_size: int = 32
    """Features of an embedded token."""
    pooling: str = "max"
    """How the steps of a text become one vector: last, max, mean or attention."""
    direct: bool = True
    """Score the sum of the embedded words past the layers, too."""
    start: float = 0.0
    """The direct scores begin with log-count ratios, as of naive Bayes (Wang & Manning 2012), at this standard
    deviation over training texts; 0 for random ones."""
    word_dropout: float = 0.2
    """The part of the words that training makes unknown."""
    bag_dropout: float = 0.3
    """The part of the n-grams that training leaves out."""
    embedding_dropout: float = 0.5
    """Rate on embedded tokens."""
    pooled_dropout: float = 0.5
    """Rate on the vector of a text."""
    hidden_size: int = 32

    def __post_init__(self):
        check_choice("pooling", self.pooling, POOLINGS)
        for name in ("word_dropout", "bag_dropout", "embedding_dropout", "pooled_dropout"):
            check_rate(name, getattr(self, name))
        check_size("embedding_size", self.embedding_size)
        if not self.start >= 0 or (self.start and not self.direct):
            raise ValueError(f"start={self.start!r}, direct={self.direct}: expected 0, or more with direct=True")
        super().__post_init__()

    def build(self, vocabulary_size: int, classes: int, key: jax.Array) -> TextClassifier:
        """The model, its initial values drawn with a typed key; a transformer is as large as the recurrent model."""

        def build(config: "TextClassifierConfig") -> TextClassifier:
            rngs = nnx.Rngs(params=key)
            return TextClassifier(
                config.layer(config.embedding_size, rngs),
                classes,
                vocabulary_size,
                word_dropout=config.word_dropout,
                bag_dropout=config.bag_dropout,
                direct=config.direct,
                pooling=config.pooling,
                dropout_rate=config.pooled_dropout,
                input_dropout=config.embedding_dropout,
                dropout_kind=config.dropout_kind,
                dtype=jnp.dtype(config.dtype),
                rngs=rngs,
            )

        return build_matched(self, build)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """A classifier of texts: bags of n-grams, words or subwords, layers over them, one vector for the text."""

    data: str = "sst2"
    """sst2, or the path of your own labelled texts: a table with a text and a label in each row, by tabs or commas."""
    text_column: str = ""
    """The column of your table with the texts: its name, or its number from 1; usual names are known."""
    label_column: str = ""
    """The column with the labels."""
    batch_size: int = 64
    """Texts in an update."""
    buckets: int = 3
    """Lengths to pad to, at most."""
    text: TokenConfig = TokenConfig()
    model: TextClassifierConfig = TextClassifierConfig()
    fit: FitConfig = FitConfig(steps=650, evaluate_every=50, learning_rate=4e-3)

    def __post_init__(self):
        for name in ("batch_size", "buckets"):
            check_size(name, getattr(self, name))

    @property
    def summary(self) -> str:
        """The model and its tokens in a few words."""
        model = self.model
        both = model.model == "recurrent" and model.bidirectional
        return f"{'bidirectional ' * both}{model.architecture}, {self.text.tokens}s"
