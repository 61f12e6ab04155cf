"""Flax NNX models built of recurrent layers."""

from rnn_jax.models.language_model import LanguageModel
from rnn_jax.models.settings import RecurrentSettings

__all__ = ["LanguageModel", "RecurrentSettings"]
