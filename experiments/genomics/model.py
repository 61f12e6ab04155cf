"""A classifier of DNA."""

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.genomics.data import SHARES
from rnn_jax.analysis.saliency import integrated_gradients
from rnn_jax.checks import check_rate
from rnn_jax.models.blocks import Layers
from rnn_jax.models.classifier import Classifier
from rnn_jax.nnx import Fixed
from rnn_jax.typing import Array, DType


class NucleotideClassifier(nnx.Module):
    """p(class | nucleotides): embedded bases, with their places, to a `Classifier`.

    A letter for several bases, such as N, has the mean of their vectors.

    Args:
        layer: the recurrent layers, or the transformer.
        classes: C.
        length: the longest sequence; each place has a vector of its own.
        masked: the part of the nucleotides that training makes unknown (N).
        rngs: draws the parameters.
        pooling: see `Classifier`.
        dropout_rate: on the vector of a sequence.
        dtype: of the computation; parameters are float32, and so are the scores.
    """

    def __init__(
        self,
        layer: Layers,
        classes: int,
        length: int,
        *,
        masked: float = 0.0,
        rngs: nnx.Rngs,
        pooling: str = "max",
        dropout_rate: float = 0.0,
        dtype: DType = jnp.float32,
    ):
        check_rate("masked", masked)
        self.bases = nnx.Linear(4, layer.input_size, use_bias=False, rngs=rngs)
        self.places = nnx.Embed(length, layer.input_size, rngs=rngs)
        self.head = Classifier(layer, classes, pooling=pooling, dropout_rate=dropout_rate, dtype=dtype, rngs=rngs)
        self.shares, self.masked = Fixed(jnp.asarray(SHARES)), masked

    def __call__(self, codes: Array, lengths: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Score the classes of sequences: codes int `[T, B]`, lengths int `[B]` to logits float32 `[B, C]`."""
        shares = self.shares[...][jnp.asarray(codes)]
        if key is not None:
            mask_key, key = jax.random.split(key)
            hidden = jax.random.bernoulli(mask_key, self.masked, (*shares.shape[:2], 1))
            shares = jnp.where(hidden, 0.25, shares)
        return self.of_shares(shares, lengths, key=key)

    def of_shares(self, shares: Array, lengths: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Score the classes of sequences, each nucleotide the shares of A, C, G and T: float `[T, B, 4]`."""
        places = self.places(jnp.arange(shares.shape[0]))
        return self.head(self.bases(jnp.asarray(shares)) + places[:, None], lengths, key=key)

    def contributions(self, codes: Array, lengths: Array, labels: Array) -> jax.Array:
        """What each base at each place adds to the log-odds of labels int `[B]`, beside N everywhere: `[T, B, 4]`."""
        is_label = jax.nn.one_hot(jnp.asarray(labels), self.head.score.out_features, dtype=bool)

        def log_odds(shares: jax.Array) -> jax.Array:
            logits = self.of_shares(shares, lengths)
            rest = jax.nn.logsumexp(jnp.where(is_label, -jnp.inf, logits), axis=1)
            return jnp.where(is_label, logits, 0.0).sum(axis=1) - rest

        return integrated_gradients(log_odds, self.shares[...][jnp.asarray(codes)], jnp.float32(0.25))
