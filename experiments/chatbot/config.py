"""The options of models of dialogue, as fields of an experiment's Config: subwords, embedding, attention, dropout."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.chatbot.dual_encoder import DualEncoder
from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.data import Subwords, Words
from rnn_jax.models.config import build_matched
from rnn_jax.models.encoder_decoder import EncoderDecoder
from rnn_jax.models.encoder_decoder_config import EncoderDecoderConfig
from rnn_jax.models.transformer_decoder import TransformerEncoderDecoder
from rnn_jax.typing import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class DialogueSettings(EncoderDecoderConfig):
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
    embedding_dropout: float = 0.3
    word_dropout: float = 0.1
    """The part of the tokens that the training of a ranking makes unknown."""

    def __post_init__(self):
        check_choice("task", self.task, ("ranking", "writing"))
        check_choice("tokens", self.tokens, ("subword", "word"))
        for name in ("turns", "longest", "subwords", "min_count"):
            check_size(name, getattr(self, name))
        check_rate("word_dropout", self.word_dropout)
        super().__post_init__()

    def fit_tokenizer(self, turns: Sequence[str]) -> Words | Subwords:
        """The tokenizer of training turns."""
        if self.tokens == "word":
            return Words.fit(turns, lower=True, min_count=self.min_count)
        return Subwords.fit(turns, self.subwords, lower=True)

    def read_tokenizer(self, state: str) -> Words | Subwords:
        """A tokenizer out of what its `to_json` returned."""
        return (Words if self.tokens == "word" else Subwords).from_json(state)

    @property
    def decoder_size(self) -> int:
        """Features of each decoder layer: as few as in one direction, for there is little text."""
        return self.hidden_size

    def dialogue_model(
        self, vocabulary_size: int, key: jax.Array, counts: Array | None = None
    ) -> DualEncoder | EncoderDecoder | TransformerEncoderDecoder:
        """The model, its initial values drawn with a typed key; a transformer is as large as the recurrent model.

        Args:
            vocabulary_size: V.
            key: a typed key.
            counts: how often each token is in the replies of training, int `[V]`: where scores of writing begin.
        """

        def rank(settings: DialogueSettings) -> DualEncoder:
            rngs = nnx.Rngs(params=key)
            return DualEncoder(
                settings.layer(settings.embedding_size, rngs),
                vocabulary_size,
                word_dropout=settings.word_dropout,
                dropout_rate=settings.dropout,
                embedding_dropout=settings.embedding_dropout,
                dtype=jnp.dtype(settings.dtype),
                rngs=rngs,
            )

        if self.task == "ranking":
            return build_matched(self, rank)
        return self.encoder_decoder(vocabulary_size, key, counts)
