"""Looking inside: which parts of an input drive a model."""

from rnn_jax.analysis.occlusion import occlusion

__all__ = ["occlusion"]
