"""The options of models of dialogue, as fields of an experiment's Config: subwords, embedding, attention, dropout."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells.base import check_choice, check_rate, check_size
from rnn_jax.data import Subwords, Words
from rnn_jax.models.dual_encoder import DualEncoder
from rnn_jax.models.encoder_decoder import EncoderDecoder
from rnn_jax.models.settings import SequenceSettings, build_matched
from rnn_jax.models.transformer_decoder import TransformerEncoderDecoder


@dataclasses.dataclass(frozen=True, kw_only=True)
class DialogueSettings(SequenceSettings):
    """A dual encoder that ranks replies, or an encoder-decoder that writes them.

    Raises:
        ValueError: a value is out of range.
    """

    task: str = "ranking"
    """ranking or writing."""
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
    embedding_size: int = 128
    """Features of an embedded token."""
    attention: str = "multiplicative"
    """Of the recurrent encoder-decoder: multiplicative or additive."""
    word_dropout: float = 0.1
    """The part of the tokens that the training of a ranking makes unknown."""
    embedding_dropout: float = 0.3
    """Rate on embedded tokens."""

    def __post_init__(self):
        check_choice("task", self.task, ("ranking", "writing"))
        check_choice("attention", self.attention, ("multiplicative", "additive"))
        check_choice("tokens", self.tokens, ("subword", "word"))
        for name in ("turns", "longest", "subwords", "min_count", "embedding_size"):
            check_size(name, getattr(self, name))
        for name in ("word_dropout", "embedding_dropout"):
            check_rate(name, getattr(self, name))
        super().__post_init__()

    def fit_tokenizer(self, turns: Sequence[str]) -> Words | Subwords:
        """The tokenizer of training turns."""
        if self.tokens == "word":
            return Words.fit(turns, lower=True, min_count=self.min_count)
        return Subwords.fit(turns, self.subwords, lower=True)

    def read_tokenizer(self, state: str) -> Words | Subwords:
        """A tokenizer out of what its `to_json` returned."""
        return (Words if self.tokens == "word" else Subwords).from_json(state)

    def dialogue_model(
        self, vocabulary_size: int, key: jax.Array
    ) -> DualEncoder | EncoderDecoder | TransformerEncoderDecoder:
        """The model, its initial values drawn with a typed key; a transformer is as large as the recurrent model."""

        def build(settings: DialogueSettings) -> Any:
            rngs, size = nnx.Rngs(params=key), settings.embedding_size
            shared: dict[str, Any] = {
                "dropout_rate": settings.dropout,
                "embedding_dropout": settings.embedding_dropout,
                "dtype": jnp.dtype(settings.dtype),
                "rngs": rngs,
            }
            if settings.task == "ranking":
                layer = settings.layer(size, rngs)
                return DualEncoder(layer, vocabulary_size, word_dropout=settings.word_dropout, **shared)
            if settings.model == "transformer":
                layers, heads = settings.transformer_layers, settings.heads
                return TransformerEncoderDecoder(vocabulary_size, size, settings.hidden_size, layers, heads, **shared)
            encoder, decoder = settings.stack(size, settings.bidirectional), settings.stack(2 * size)
            return EncoderDecoder(vocabulary_size, encoder, decoder, attention=settings.attention, **shared)

        return build_matched(self, build)
