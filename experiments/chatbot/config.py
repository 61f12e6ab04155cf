"""Which conversations are read by which model: a config for each task."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.chatbot.model import DualEncoder
from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.data import Subwords, Words
from rnn_jax.models import (
    EncoderDecoder,
    EncoderDecoderConfig,
    SequenceConfig,
    TransformerEncoderDecoder,
    build_matched,
)
from rnn_jax.train import FitConfig
from rnn_jax.typing import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class TurnConfig:
    """What of a conversation is read, as which tokens.

    Raises:
        ValueError: a value is out of range.
    """

    turns: int = 3
    """Turns of a context that are read, at most."""
    longest: int = 32
    """Tokens of a context (its last) and of a reply (its first) that are read or written, at most."""
    tokens: str = "subword"
    """subword or word, in lower case."""
    subwords: int = 1000
    """How many subwords are learned."""
    min_count: int = 3
    """Words that the training turns have less often are unknown."""

    def __post_init__(self):
        check_choice("tokens", self.tokens, ("subword", "word"))
        for name in ("turns", "longest", "subwords", "min_count"):
            check_size(name, getattr(self, name))

    def fit_tokenizer(self, turns: Sequence[str]) -> Words | Subwords:
        """The tokenizer of training turns."""
        if self.tokens == "word":
            return Words.fit(turns, lower=True, min_count=self.min_count)
        return Subwords.fit(turns, self.subwords, lower=True)

    def read_tokenizer(self, state: str) -> Words | Subwords:
        """A tokenizer out of what its `to_json` returned."""
        return (Words if self.tokens == "word" else Subwords).from_json(state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DualEncoderConfig(SequenceConfig):
    """The encoder of contexts and replies.

    Raises:
        ValueError: a value is out of range.
    """

    embedding_size: int = 128
    """Features of an embedded token, and of the vector of a text."""
    embedding_dropout: float = 0.3
    """Rate on embedded tokens."""
    word_dropout: float = 0.1
    """The part of the tokens that training makes unknown."""
    hidden_size: int = 64
    dropout: float = 0.3

    def __post_init__(self):
        check_size("embedding_size", self.embedding_size)
        check_rate("embedding_dropout", self.embedding_dropout)
        check_rate("word_dropout", self.word_dropout)
        super().__post_init__()

    def build(self, vocabulary_size: int, key: jax.Array) -> DualEncoder:
        """The model, its initial values drawn with a typed key; a transformer is as large as the recurrent model."""

        def build(config: "DualEncoderConfig") -> DualEncoder:
            rngs = nnx.Rngs(params=key)
            return DualEncoder(
                config.layer(config.embedding_size, rngs),
                vocabulary_size,
                word_dropout=config.word_dropout,
                dropout_rate=config.dropout,
                embedding_dropout=config.embedding_dropout,
                dtype=jnp.dtype(config.dtype),
                rngs=rngs,
            )

        return build_matched(self, build)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WriterConfig(EncoderDecoderConfig):
    """The encoder-decoder that writes replies."""

    embedding_size: int = 128
    embedding_dropout: float = 0.3
    hidden_size: int = 64
    dropout: float = 0.3

    @property
    def decoder_size(self) -> int:
        """Features of each decoder layer: as few as in one direction, for there is little text."""
        return self.hidden_size


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatbotConfig:
    """What the tasks have in common."""

    task: str
    """ranking or writing."""
    data: str = "chatterbot"
    """chatterbot, or the path of your own conversations: one in each line, its turns with tabs between them."""
    batch_size: int = 64
    """Pairs in an update; for ranking, the other replies in it are each context's distractors."""
    text: TurnConfig = TurnConfig()
    model: SequenceConfig
    fit: FitConfig = FitConfig(steps=240, evaluate_every=40, learning_rate=3e-3, warmup_steps=50, weight_decay=0.05)

    def __post_init__(self):
        check_size("batch_size", self.batch_size)

    @property
    def summary(self) -> str:
        """The model in a few words."""
        return self.model.architecture


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankingConfig(ChatbotConfig):
    """A dual encoder that finds the true reply among others."""

    task: Literal["ranking"] = "ranking"
    model: DualEncoderConfig = DualEncoderConfig()

    def build(self, vocabulary_size: int, key: jax.Array, counts: Array | None = None) -> DualEncoder:
        """The model, its initial values drawn with a typed key; `counts` as of `WritingConfig.build` play no part."""
        del counts
        return self.model.build(vocabulary_size, key)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WritingConfig(ChatbotConfig):
    """An encoder-decoder that writes replies.

    Raises:
        ValueError: a value is out of range.
    """

    task: Literal["writing"] = "writing"
    ngram: int = 0
    """Mix the network with n-grams of the training replies of this order, by the share that suits the validation pairs
    (Mikolov et al. 2010); 0 for the network alone."""
    model: WriterConfig = WriterConfig()

    def __post_init__(self):
        if self.ngram:
            check_size("ngram", self.ngram)
        super().__post_init__()

    @property
    def summary(self) -> str:
        """The model in a few words."""
        return super().summary + f", with {self.ngram}-grams" * (self.ngram > 0)

    def build(
        self, vocabulary_size: int, key: jax.Array, counts: Array | None = None
    ) -> EncoderDecoder | TransformerEncoderDecoder:
        """The model, its initial values drawn with a typed key.

        Args:
            vocabulary_size: V.
            key: a typed key.
            counts: how often each token is in the replies of training, int `[V]`: where scores begin.
        """
        return self.model.encoder_decoder(vocabulary_size, key, counts)


TASKS: dict[str, type[ChatbotConfig]] = {"ranking": RankingConfig, "writing": WritingConfig}
