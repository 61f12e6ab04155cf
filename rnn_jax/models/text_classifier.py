"""Around a classifier of tokenized texts: training batches, dropped words, and probabilities of many texts."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.data import UNKNOWN, BucketBatches, best_bounds, in_order, pad
from rnn_jax.typing import Array, Params

Rebuild = Callable[[Params], Callable[..., jax.Array]]

BATCH_AXES = {"tokens": 1, "lengths": 0, "labels": 0}


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
        """`{"tokens": [T, B], "lengths": [B], "labels": [B]}`."""
        examples, length = self.order.examples(i)
        padded = pad([self.sequences[k] for k in examples], length)
        return {"tokens": padded.values, "lengths": padded.lengths, "labels": self.labels[examples]}


def drop_words(key: jax.Array, tokens: Array, rate: float) -> jax.Array:
    """Make each token int `[...]` unknown with probability `rate` (Iyyer et al. 2015, deep averaging networks)."""
    tokens = jnp.asarray(tokens)
    return jnp.where(jax.random.bernoulli(key, rate, tokens.shape), jnp.asarray(UNKNOWN, tokens.dtype), tokens)


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
