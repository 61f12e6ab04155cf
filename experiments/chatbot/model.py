"""How well a reply suits a context: both are read into vectors by one encoder, and the vectors are compared."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.chatbot.batches import in_parts
from rnn_jax.checks import check_rate, check_size
from rnn_jax.compose import dropout
from rnn_jax.data import UNKNOWN
from rnn_jax.models.blocks import Layers
from rnn_jax.typing import Array, DType, Params


class DualEncoder(nnx.Module):
    """The cosine of two texts' vectors, times a learned scale, is the score of one as the reply to the other.

    The dual encoder of Lowe et al. 2015, arXiv:1506.08909, trained against the other replies of a batch as in Henderson
    et al. 2017, arXiv:1705.00652; one encoder reads both sides. For tokens xₜ and outputs yₜ of the layer

        v = Σ wₜ xₜ / ‖w‖ + g W max yₜ,    wₜ = sigmoid(uᵀ xₜ + b)

    The first term, tokens by their learned weights, is what texts of the same words have in common from the start; the
    layer adds, by the learned gain g, what depends on order.

    Args:
        layer: `Recurrent`, `RecurrentBlocks` or `Transformer` that reads embedded tokens.
        vocabulary_size: V.
        word_dropout: the part of the tokens that training makes unknown.
        embedding_dropout: rate on embedded tokens, in training.
        dropout_rate: rate on the vector, in training.
        dtype: of the computation; parameters are float32, and so are vectors.
        rngs: draws the parameters.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        layer: Layers,
        vocabulary_size: int,
        *,
        word_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        dropout_rate: float = 0.0,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_size("vocabulary_size", vocabulary_size)
        rates = {"word_dropout": word_dropout, "embedding_dropout": embedding_dropout, "dropout_rate": dropout_rate}
        for name, rate in rates.items():
            check_rate(name, rate)
        size = layer.input_size
        self.embed = nnx.Embed(vocabulary_size, size, dtype=dtype, rngs=rngs)
        self.layer = layer
        self.project = nnx.Linear(layer.output_size, size, use_bias=False, dtype=dtype, rngs=rngs)
        self.weigh = nnx.Linear(size, 1, dtype=dtype, rngs=rngs)
        self.gain = nnx.Param(jnp.float32(0.3))
        self.log_scale = nnx.Param(jnp.log(jnp.float32(10.0)))
        self.word_dropout, self.embedding_dropout, self.dropout_rate = word_dropout, embedding_dropout, dropout_rate

    def __call__(self, tokens: Array, lengths: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Read texts.

        Args:
            tokens: int `[T, B]`.
            lengths: int `[B]`, at least 1; what lies after them has no influence.
            key: a typed key: training, with dropout.

        Returns:
            Vectors of unit length, float32 `[B, E]`.
        """
        keys = (None,) * 4 if key is None else tuple(jax.random.split(key, 4))
        tokens, lengths = jnp.asarray(tokens), jnp.asarray(lengths)
        if keys[0] is not None and self.word_dropout:
            hidden = jax.random.bernoulli(keys[0], self.word_dropout, tokens.shape)
            tokens = jnp.where(hidden, jnp.asarray(UNKNOWN, tokens.dtype), tokens)
        xs = dropout(keys[1], self.embed(tokens), self.embedding_dropout)
        ys = self.layer(xs, lengths=lengths, key=keys[2]).ys
        valid = (jnp.arange(tokens.shape[0])[:, None] < lengths[None])[..., None]
        weights = jnp.where(valid, jax.nn.sigmoid(self.weigh(xs)), 0.0)
        words = jnp.sum(weights * jnp.where(valid, xs, 0.0), 0) / jnp.sqrt(jnp.sum(weights**2, 0))
        order = self.project(jnp.max(jnp.where(valid, ys, -jnp.inf), axis=0))
        vectors = dropout(keys[3], words + self.gain[...].astype(order.dtype) * order, self.dropout_rate)
        vectors = vectors.astype(jnp.float32)
        return vectors / jnp.sqrt(jnp.sum(vectors**2, axis=-1, keepdims=True) + 1e-12)

    def scores(self, contexts: jax.Array, replies: jax.Array) -> jax.Array:
        """The scores float32 `[B, R]` of vectors `[B, E]` and `[R, E]`, logits of a softmax over the replies."""
        return jnp.exp(self.log_scale[...]) * contexts @ replies.T


def in_batch_loss(scores: Array, replies: Array) -> jax.Array:
    """The mean nats of telling each context's reply from those of the others in a batch, and the other way round.

    Args:
        scores: `[B, B]`, of each context with each reply; the true ones are on the diagonal.
        replies: int `[B]`, equal for replies of the same text: these are no distractors of each other.
    """
    replies = jnp.asarray(replies)
    own = jnp.eye(len(replies), dtype=bool)
    scores = jnp.where((replies[:, None] == replies[None]) & ~own, -jnp.inf, jnp.asarray(scores))
    right = [jnp.diagonal(jax.nn.log_softmax(scores, axis)) for axis in (0, 1)]
    return -(right[0].mean() + right[1].mean()) / 2


def make_vectors(
    rebuild: Callable[[Params], DualEncoder], longest: int, *, rows: int = 64
) -> Callable[..., np.ndarray]:
    """A function of parameters and texts to their vectors: `(params, sequences) -> float32 [N, E]`, compiled once.

    Args:
        rebuild: from `rnn_jax.nnx.functional` of a `DualEncoder`.
        longest: tokens of a text, at most; all are padded to so many.
        rows: texts at once.
    """
    read = jax.jit(lambda params, tokens, lengths: rebuild(params)(tokens, lengths))

    def vectors(params: Params, sequences: Sequence[np.ndarray]) -> np.ndarray:
        parts = in_parts(sequences, rows, longest, filler=sequences[0])
        return np.concatenate([np.asarray(read(params, *part)) for part in parts])[: len(sequences)]

    return vectors
