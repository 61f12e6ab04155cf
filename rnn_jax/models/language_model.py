"""A recurrent language model: embed each token, run a stack through time, score the next token."""

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells.base import Cell
from rnn_jax.checks import check_choice, check_rate
from rnn_jax.compose import dropout
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array, Carry, DType, Float, Hidden, Int, Key, at_least_float32


class LanguageModel(nnx.Module):
    """p(next token | all tokens before it). Mikolov et al. 2010; Graves 2013, arXiv:1308.0850.

    Args:
        vocabulary_size: V.
        embedding_size: features of an embedded token, the input size of the first layer.
        stack: the recurrent layers; any cell.
        dropout_rate: on the outputs of the stack, in training (the stack has its own between layers).
        embedding_dropout: on the embedded tokens, in training.
        dropout_kind: "step" or "sequence"; see `rnn_jax.dropout`.
        tied: score with the transposed embedding (Press & Wolf 2016, arXiv:1608.05859) instead of a kernel of its own.
        dtype: of the computation; parameters are float32, and so are the scores.
        rngs: the stream `params` (or `default`) draws the parameters.

    Raises:
        ValueError: sizes do not fit.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        stack: Cell,
        *,
        dropout_rate: float = 0.0,
        embedding_dropout: float = 0.0,
        dropout_kind: str = "step",
        tied: bool = False,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_rate("dropout_rate", dropout_rate)
        check_rate("embedding_dropout", embedding_dropout)
        check_choice("dropout_kind", dropout_kind, ("step", "sequence"))
        if stack.input_size != embedding_size:
            raise ValueError(f"embedding_size={embedding_size}: expected {stack.input_size}, the stack's input size")
        if tied and stack.output_size != embedding_size:
            raise ValueError(
                f"tied=True with embedding_size={embedding_size} and outputs of {stack.output_size}: "
                "a tied output needs them equal"
            )
        self.embed = nnx.Embed(vocabulary_size, embedding_size, dtype=dtype, rngs=rngs)
        self.recurrent = Recurrent(stack, rngs=rngs)
        self.score = None if tied else nnx.Linear(stack.output_size, vocabulary_size, dtype=dtype, rngs=rngs)
        self.dropout_rate = dropout_rate
        self.embedding_dropout = embedding_dropout
        self.dropout_kind = dropout_kind
        self.dtype = dtype

    def initial_carry(self, batch_shape: tuple[int, ...] = ()) -> Carry:
        """The carry before the first token, in the dtype of the computation."""
        return self.recurrent.initial_carry(batch_shape, at_least_float32(self.dtype))

    def __call__(
        self,
        tokens: Int[Array, "T *B"],
        carry: Carry = None,
        *,
        key: Key | None = None,
        checkpoint_every: int | None = None,
    ) -> tuple[Carry, Float[jax.Array, "T *B V"]]:
        """Score what follows each token of a sequence.

        Args:
            tokens: int `[T, B]`.
            carry: where to start; the initial carry by default.
            key: a typed key: training, with dropout. Without it nothing is random.
            checkpoint_every: as in `rnn_jax.unroll`.

        Returns:
            The carry after the last token, and logits float32 `[T, B, V]`.
        """
        keys = (None, None, None) if key is None else jax.random.split(key, 3)
        xs = dropout(keys[0], self.embed(jnp.asarray(tokens)), self.embedding_dropout, self.dropout_kind)
        carry, ys = self.recurrent(xs, carry, key=keys[1], checkpoint_every=checkpoint_every)
        return carry, self._logits(dropout(keys[2], ys, self.dropout_rate, self.dropout_kind))

    def step(self, carry: Carry, token: Int[Array, "*B"]) -> tuple[Carry, Float[jax.Array, "*B V"]]:
        """One token int `[B]` to the next carry and logits float32 `[B, V]`, for streaming."""
        carry, y = self.recurrent.step(carry, self.embed(jnp.asarray(token)))
        return carry, self._logits(y)

    def _logits(self, ys: Hidden) -> Float[jax.Array, "*B V"]:
        logits = self.embed.attend(ys) if self.score is None else self.score(ys)
        return logits.astype(jnp.float32)
