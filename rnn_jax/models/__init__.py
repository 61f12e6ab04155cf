"""Flax NNX models built of recurrent layers, and the transformer to measure them against."""

from rnn_jax.models.classifier import Classifier, make_probabilities
from rnn_jax.models.config import EncoderDecoderConfig, RecurrentConfig, SequenceConfig, build_matched
from rnn_jax.models.ctc import CTCModel, ctc_loss
from rnn_jax.models.embedding import TiedEmbedding
from rnn_jax.models.encoder_decoder import EncoderDecoder
from rnn_jax.models.language_model import LanguageModel
from rnn_jax.models.sequence_to_sequence import make_generate, make_nats_per_token, target_nats
from rnn_jax.models.transformer import Transformer
from rnn_jax.models.transformer_decoder import TransformerEncoderDecoder

__all__ = [
    "CTCModel",
    "Classifier",
    "EncoderDecoder",
    "EncoderDecoderConfig",
    "LanguageModel",
    "RecurrentConfig",
    "SequenceConfig",
    "TiedEmbedding",
    "Transformer",
    "TransformerEncoderDecoder",
    "build_matched",
    "ctc_loss",
    "make_generate",
    "make_nats_per_token",
    "make_probabilities",
    "target_nats",
]
