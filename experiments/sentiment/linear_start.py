"""Where the training of a classifier may begin: its direct scores are log-count ratios, as those of naive Bayes."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from experiments.sentiment.baselines import ratios_of_counts
from experiments.sentiment.model import TextClassifier
from rnn_jax.data import PAD
from rnn_jax.data.vocabulary import SPECIALS


def start_ratios(model: TextClassifier, texts: Sequence[np.ndarray], labels: np.ndarray, spread: float) -> None:
    """Let the direct scores of a text be a sum of the log-count ratios of its tokens (Wang & Manning 2012).

    The ratio of a token for a class is log(p / |p|) − log(q / |q|), p and q one more than in how many texts of the
    class, and of the others, it is. It becomes what an embedded token has along a direction of its class, and these
    directions, orthonormal, are the direct kernel: nothing else of the embedding is changed.

    Args:
        model: with its initial values; changed.
        texts: of training, tokens int `[n]` or bags of them `[n, K]`.
        labels: their classes, int `[N]`.
        spread: the standard deviation of the scores over texts and classes, from their mean over classes.

    Raises:
        ValueError: the model has no direct scores, or fewer features than classes.
    """
    if model.direct is None:
        raise ValueError("direct=False: there are no direct scores to begin with log-count ratios")
    size, features = model.embed.embedding.shape
    classes = model.direct.kernel.shape[1]
    if features < classes:
        raise ValueError(f"embedding_size={features}: expected {classes} at least, one for each class")
    counts = np.zeros((classes, size))
    for tokens, label in zip(texts, labels, strict=True):
        counts[label, np.unique(tokens)] += 1
    ratios = ratios_of_counts(counts, counts.sum(axis=0) - counts)
    ratios[:, : len(SPECIALS)] = 0.0  # an unknown word says nothing
    scores = np.stack([_score(ratios.T, tokens) for tokens in texts])
    scale = spread / (scores - scores.mean(axis=1, keepdims=True)).std()
    directions = np.linalg.qr(np.asarray(model.direct.kernel[...], np.float64))[0]  # [D, C]
    embedding = np.asarray(model.embed.embedding[...], np.float64)
    embedding += (scale * ratios.T - embedding @ directions) @ directions.T
    model.embed.embedding[...] = jnp.asarray(embedding, jnp.float32)
    model.direct.kernel[...] = jnp.asarray(directions, jnp.float32)
    if (bias := model.direct.bias) is not None:
        bias[...] = jnp.asarray(-scale * scores.mean(axis=0), jnp.float32)


def _score(ratios: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """What `TextClassifier` makes of a text by the ratios `[V, C]` of its tokens alone, `[C]`."""
    bags = tokens.reshape(len(tokens), -1)
    held = bags != PAD
    words = (ratios[bags] * held[..., None]).sum(axis=1) / np.sqrt(np.maximum(held.sum(axis=1), 1))[:, None]
    return words.sum(axis=0) / np.sqrt(len(words))
