"""Looking inside: which parts of an input drive a model, how sure it may be, what it mistakes for what."""

from rnn_jax.analysis.occlusion import occlusion
from rnn_jax.analysis.reliability import draw_reliability
from rnn_jax.analysis.tables import classification_table

__all__ = ["classification_table", "draw_reliability", "occlusion"]
