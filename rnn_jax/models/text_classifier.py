"""A classifier of tokenized texts, its training batches, and the probabilities of many texts."""

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from rnn_jax.checks import check_rate
from rnn_jax.compose import dropout
from rnn_jax.data import PAD, UNKNOWN, BucketBatches, Tokenizer, best_bounds, in_order, pad
from rnn_jax.models.blocks import Layers
from rnn_jax.models.classifier import Classifier
from rnn_jax.typing import Array, Params

Rebuild = Callable[[Params], Callable[..., jax.Array]]

BATCH_AXES: dict[str, int | None] = {"tokens": 1, "lengths": 0, "labels": 0}


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str], longest: int) -> list[np.ndarray]:
    """The first `longest` tokens of each text, int32 `[n]` or `[n, K]`, n ≥ 1: one without words is an unknown word.

    A warning says how many texts were cut.
    """
    encoded = [tokenizer.encode(text) for text in texts]
    if cut := sum(len(tokens) > longest for tokens in encoded):
        warnings.warn(f"{cut:,} of {len(encoded):,} texts have more than longest={longest} tokens: cut", stacklevel=2)
    return [tokens[:longest] if len(tokens) else unknown_like(tokens) for tokens in encoded]


def unknown_like(tokens: np.ndarray) -> np.ndarray:
    """One unknown word for texts of tokens int32 `[n]` or of bags `[n, K]`: int32 `[1]` or `[1, K]`."""
    word = np.full((1, *tokens.shape[1:]), PAD, np.int32)
    word.reshape(1, -1)[0, 0] = UNKNOWN
    return word


class TextBatches:
    """Shuffled training batches of labelled texts, few shapes; batch i is a pure function of i.

    Args:
        sequences: tokens int `[n]` of each text.
        labels: int `[N]`.
        batch_size: B.
        seed: of the order.
        group: batches in a row that share a shape, those of one dispatch.
        buckets: how many lengths there are, at most.
    """

    def __init__(
        self,
        sequences: Sequence[np.ndarray],
        labels: np.ndarray,
        batch_size: int,
        seed: int,
        *,
        group: int = 1,
        buckets: int = 4,
    ):
        self.sequences, self.labels = sequences, labels
        lengths = np.array([len(tokens) for tokens in sequences])
        self.order = BucketBatches(lengths, batch_size, seed, group, buckets)

    @cached_property
    def padding(self) -> str:
        """How much padding there is, in words."""
        lengths = self.order.lengths
        alone = 1 - lengths.mean() / max(1, lengths.max())
        return (
            f"padding: {alone:.0%} of the steps if all texts were padded to the longest ({lengths.max()}), "
            f"{self.order.wasted:.0%} in buckets of {', '.join(map(str, self.order.bounds))}"
        )

    def batch(self, i: int) -> dict[str, Any]:
        """`{"tokens": [T, B] or [T, B, K], "lengths": [B], "labels": [B]}`."""
        examples, length = self.order.examples(i)
        padded = pad([self.sequences[k] for k in examples], length)
        return {"tokens": padded.values, "lengths": padded.lengths, "labels": self.labels[examples]}


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
        valid = jnp.arange(len(vectors))[:, None] < lengths[None]
        text = jnp.where(valid[..., None], vectors, 0.0).sum(0) / jnp.sqrt(lengths.astype(jnp.float32))[:, None]
        return logits + self.direct(dropout(text_key, text, self.dropout_rate))


def make_probabilities(
    rebuild: Rebuild, sequences: Sequence[np.ndarray], *, batch_size: int = 128, buckets: int = 4
) -> Callable[[Params], np.ndarray]:
    """A function from parameters to p(class | text) of all texts, float32 `[N, C]`, compiled for few shapes.

    Args:
        rebuild: from `rnn_jax.nnx.functional` of a `Classifier`.
        sequences: tokens int `[n]` of each text, n ≥ 1.
        batch_size: texts at once.
        buckets: how many lengths texts are padded to, at most.
    """
    lengths = np.array([len(tokens) for tokens in sequences])
    bounds = best_bounds(lengths, buckets)
    batch_size = min(batch_size, len(sequences))
    score = jax.jit(lambda params, tokens, lengths: jax.nn.softmax(rebuild(params)(tokens, lengths)))

    def probabilities(params: Params) -> np.ndarray:
        parts, places = [], []
        for examples in in_order(lengths, batch_size):
            rows = np.resize(examples, batch_size)  # the last batch is filled up, so that it has no shape of its own
            batch = pad([sequences[k] for k in rows], int(bounds[np.searchsorted(bounds, lengths[rows].max())]))
            parts.append(np.asarray(score(params, batch.values, batch.lengths))[: len(examples)])
            places.append(examples)
        return np.concatenate(parts)[np.argsort(np.concatenate(places))]

    return probabilities
