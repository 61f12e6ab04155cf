"""Flax NNX models built of recurrent layers, and the transformer to measure them against."""

from rnn_jax.models.classifier import Classifier
from rnn_jax.models.ctc import CTCModel, ctc_loss
from rnn_jax.models.encoder_decoder import EncoderDecoder
from rnn_jax.models.encoder_decoder_settings import EncoderDecoderSettings
from rnn_jax.models.language_model import LanguageModel
from rnn_jax.models.settings import RecurrentSettings, SequenceSettings, build_matched
from rnn_jax.models.transformer import Transformer
from rnn_jax.models.transformer_decoder import TransformerEncoderDecoder

__all__ = [
    "CTCModel",
    "Classifier",
    "EncoderDecoder",
    "EncoderDecoderSettings",
    "LanguageModel",
    "RecurrentSettings",
    "SequenceSettings",
    "Transformer",
    "TransformerEncoderDecoder",
    "build_matched",
    "ctc_loss",
]
