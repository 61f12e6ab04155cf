"""One embedding that reads tokens and scores them (Press & Wolf 2016, arXiv:1608.05859)."""

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_rate
from rnn_jax.compose import dropout
from rnn_jax.typing import Array, DType, Float, Int, Key, Num


class TiedEmbedding(nnx.Module):
    """Tokens to vectors, and vectors to scores of tokens.

    Args:
        vocabulary_size: V.
        size: E. The embedding has variance 1 / E, so that the first scores are about as large as one.
        dropout_rate: on embedded tokens, one mask for a whole row, in training.
        dtype: of the computation; parameters are float32, and so are the scores.
        rngs: draws the parameters.
    """

    def __init__(
        self, vocabulary_size: int, size: int, *, dropout_rate: float = 0.0, dtype: DType = jnp.float32, rngs: nnx.Rngs
    ):
        check_rate("embedding_dropout", dropout_rate)
        init = nnx.initializers.normal(size**-0.5)
        self.embed = nnx.Embed(vocabulary_size, size, dtype=dtype, embedding_init=init, rngs=rngs)
        self.bias = nnx.Param(jnp.zeros((vocabulary_size,)))
        self.dropout_rate = dropout_rate

    def init_bias(self, counts: Num[Array, "V"]) -> None:
        """Let scores begin at the log of how frequent each token is, `counts` int `[V]`, a half added to each.

        Training then has to learn what deviates from the frequencies only, which matters where there is little text.
        """
        smoothed = jnp.asarray(counts, jnp.float32) + 0.5
        self.bias[...] = jnp.log(smoothed / jnp.sum(smoothed))

    def read(self, tokens: Int[Array, "*B"], key: Key | None = None) -> Float[jax.Array, "*B E"]:
        """Embed tokens int `[T, B]`, or `[B]` without a key: `[..., E]`; a key means dropout."""
        return dropout(key, self.embed(jnp.asarray(tokens)), self.dropout_rate, "sequence")

    def score(self, ys: Float[jax.Array, "*B E"]) -> Float[jax.Array, "*B V"]:
        """Logits float32 `[..., V]` of vectors `[..., E]`."""
        logits = self.embed.attend(ys).astype(jnp.float32)
        return logits + jnp.broadcast_to(self.bias[...], logits.shape)
