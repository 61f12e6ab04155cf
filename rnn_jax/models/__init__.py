"""Flax NNX models built of recurrent layers, and the transformer to measure them against."""

from rnn_jax.models.classifier import Classifier
from rnn_jax.models.language_model import LanguageModel
from rnn_jax.models.settings import RecurrentSettings, SequenceSettings, build_matched
from rnn_jax.models.transformer import Transformer

__all__ = [
    "Classifier",
    "LanguageModel",
    "RecurrentSettings",
    "SequenceSettings",
    "Transformer",
    "build_matched",
]
