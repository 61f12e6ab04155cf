"""A classifier of texts: a vector for each word, layers over them, one vector for the text, its words beside it."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_rate
from rnn_jax.compose import dropout
from rnn_jax.data import PAD, UNKNOWN
from rnn_jax.models import Classifier
from rnn_jax.models.blocks import Layers
from rnn_jax.typing import Array


class TextClassifier(nnx.Module):
    """A `Classifier` of tokenized texts. A step is a token, or the sum of the vectors of a bag of tokens.

    With `direct`, the sum of all vectors of a text, over the root of its length, is scored too, past the layers: what
    words say on their own need not go through them (Joulin et al. 2016, arXiv:1607.01759; Cheng et al. 2016,
    arXiv:1606.07792).

    Args:
        layer: the recurrent layers, or the transformer.
        classes: C.
        vocabulary_size: V.
        word_dropout: the part of the steps that training makes unknown words (Iyyer et al. 2015).
        bag_dropout: the part of the tokens in bags that training leaves out.
        rngs: draws the parameters.
        dropout_rate: on the vectors of a text.
        direct: whether words are scored past the layers, too.
        options: of `Classifier`.
    """

    def __init__(
        self,
        layer: Layers,
        classes: int,
        vocabulary_size: int,
        *,
        word_dropout: float = 0.0,
        bag_dropout: float = 0.0,
        dropout_rate: float = 0.0,
        direct: bool = False,
        rngs: nnx.Rngs,
        **options: Any,
    ):
        check_rate("word_dropout", word_dropout)
        check_rate("bag_dropout", bag_dropout)
        self.embed = nnx.Embed(vocabulary_size, layer.input_size, rngs=rngs)
        self.classifier = Classifier(layer, classes, dropout_rate=dropout_rate, rngs=rngs, **options)
        self.direct = nnx.Linear(layer.input_size, classes, rngs=rngs) if direct else None
        self.word_dropout, self.bag_dropout, self.dropout_rate = word_dropout, bag_dropout, dropout_rate

    def __call__(self, tokens: Array, lengths: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Score the classes of texts.

        Args:
            tokens: int `[T, B]`, or bags `[T, B, K]` filled up with 0.
            lengths: int `[B]`, at least 1; what lies after them has no influence.
            key: a typed key: training, with dropout.

        Returns:
            Logits float32 `[B, C]`.
        """
        tokens = jnp.asarray(tokens)
        bags = tokens if tokens.ndim == 3 else tokens[..., None]
        word_key, bag_key, text_key, key = (None,) * 4 if key is None else jax.random.split(key, 4)
        if word_key is not None:
            dropped = jax.random.bernoulli(word_key, self.word_dropout, (*bags.shape[:2], 1))
            bags = jnp.where(dropped, jnp.zeros_like(bags).at[..., 0].set(UNKNOWN), bags)
        held = bags != PAD
        size = jnp.maximum(held.sum(-1, keepdims=True), 1).astype(jnp.float32)
        if bag_key is not None:
            held = held & jax.random.bernoulli(bag_key, 1 - self.bag_dropout, bags.shape)
        vectors = jnp.where(held[..., None], self.embed(bags), 0.0).sum(2) / jnp.sqrt(size)
        logits = self.classifier(vectors, lengths, key=key)
        if self.direct is None:
            return logits
        lengths = jnp.asarray(lengths)
        valid = jnp.arange(vectors.shape[0])[:, None] < lengths[None]
        text = jnp.where(valid[..., None], vectors, 0.0).sum(0) / jnp.sqrt(lengths.astype(jnp.float32))[:, None]
        return logits + self.direct(dropout(text_key, text, self.dropout_rate))
