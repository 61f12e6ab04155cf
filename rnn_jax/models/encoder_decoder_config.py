"""The options of encoder-decoders, as fields that experiments share."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.models.attention import KINDS
from rnn_jax.models.config import SequenceConfig, build_matched
from rnn_jax.models.encoder_decoder import EncoderDecoder, Reader
from rnn_jax.models.transformer_decoder import TransformerEncoderDecoder
from rnn_jax.typing import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderDecoderConfig(SequenceConfig):
    """An encoder-decoder of recurrent layers, or of transformer layers with as many parameters.

    Raises:
        ValueError: a value is out of range.
    """

    attention: str = "multiplicative"
    """additive (Bahdanau) or multiplicative (Luong)."""
    embedding_size: int = 256
    """Features of an embedded token, and of what is scored."""
    embedding_dropout: float = 0.2
    """Rate on embedded tokens, one mask for a whole sequence."""

    def __post_init__(self):
        check_choice("attention", self.attention, KINDS)
        check_size("embedding_size", self.embedding_size)
        check_rate("embedding_dropout", self.embedding_dropout)
        super().__post_init__()

    @property
    def decoder_size(self) -> int:
        """Features of each decoder layer: as many as both directions of the encoder together."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    def encoder_decoder(
        self,
        vocabulary_size: int,
        key: jax.Array,
        counts: Array | None = None,
        make_reader: Callable[[int, nnx.Rngs], Reader] | None = None,
    ) -> EncoderDecoder | TransformerEncoderDecoder:
        """The model, its parameters drawn with `key`.

        Args:
            vocabulary_size: V.
            key: a typed key.
            counts: how often each token is written, int `[V]`: where scores begin, if given (see `Tokens.expect`).
            make_reader: from embedding_size to the reader of a source that is not tokens.

        Raises:
            ValueError: `blocks` is set.
        """
        if self.blocks:
            raise ValueError("blocks=True: an encoder-decoder has layers of cells without blocks; leave it out")

        def build(settings: "EncoderDecoderConfig") -> EncoderDecoder | TransformerEncoderDecoder:
            size, rngs = settings.embedding_size, nnx.Rngs(params=key)
            options = {
                "reader": make_reader(size, rngs) if make_reader else None,
                "dropout_rate": settings.dropout,
                "embedding_dropout": settings.embedding_dropout,
                "dtype": jnp.dtype(settings.dtype),
                "rngs": rngs,
            }
            if settings.model == "transformer":
                return TransformerEncoderDecoder(
                    vocabulary_size, size, settings.hidden_size, settings.transformer_layers, settings.heads, **options
                )
            encoder = settings.stack(size, settings.bidirectional)
            decoder = dataclasses.replace(settings, hidden_size=settings.decoder_size).stack(2 * size)
            return EncoderDecoder(vocabulary_size, encoder, decoder, attention=settings.attention, **options)

        model = build_matched(self, build)
        if counts is not None:
            model.tokens.expect(counts)
        return model
