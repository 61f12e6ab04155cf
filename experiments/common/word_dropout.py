"""Words hidden in training, so that a network learns to do without any one of them."""

import jax
import jax.numpy as jnp

from rnn_jax.data import UNKNOWN
from rnn_jax.typing import Array


def hide_words(key: jax.Array | None, tokens: Array, rate: float) -> jax.Array:
    """Tokens int `[...]`, each made unknown with probability `rate`; as they are without a key.

    Iyyer et al. 2015, of bags of words; Sennrich et al. 2016, arXiv:1606.02891, of translation, where it is the
    embedded words that are dropped.

    Args:
        key: a typed key: training.
        tokens: of any shape.
        rate: at least 0, below 1.
    """
    tokens = jnp.asarray(tokens)
    if key is None or not rate:
        return tokens
    return jnp.where(jax.random.bernoulli(key, rate, tokens.shape), jnp.asarray(UNKNOWN, tokens.dtype), tokens)
