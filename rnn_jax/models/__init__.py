"""Flax NNX models built of recurrent layers."""

from rnn_jax.models.language_model import LanguageModel

__all__ = ["LanguageModel"]
