"""One sequence of tokens from another: an encoder reads the source, a decoder writes and looks back by attention."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells.base import Cell
from rnn_jax.checks import check_rate
from rnn_jax.compose import dropout
from rnn_jax.models.attention import Attention, Memory
from rnn_jax.models.embedding import TiedEmbedding
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array, Carry, DType, Float, Int, Key, Num, at_least_float32

Source = Int[Array, "S B"] | Num[Array, "_ B ..."]
"""Tokens, or what the reader takes: as many steps as it likes for each that it gives."""

Reader = Callable[[Any], jax.Array]
"""From a source that is not tokens, `[S, B, ...]`, to vectors `[S, B, E]`: a module."""


class DecoderCarry(NamedTuple):
    """What a decoder knows between two tokens."""

    cell: Carry
    fed: Float[jax.Array, "B E"]
    """`[B, E]`, the attentional vector of the token before: input feeding."""


class EncoderDecoder(nnx.Module):
    """p(target token | source, targets before it) of a recurrent network with attention.

    The decoder reads the embedded token beside the attentional vector of the step before (input feeding), its output
    h is the query, and what it finds, c, goes with it into the attentional vector tanh(W [h; c]), which is scored
    against the embeddings. Luong et al. 2015, arXiv:1508.04025, section 3. The first vector fed is made of the means of
    the memory. Source, target and scores share one embedding (Press & Wolf 2016, arXiv:1608.05859).

    Args:
        vocabulary_size: V, of source and target together.
        encoder: the layers that read the source, `[S, B, E]`; any cell, Bidirectional as a rule.
        decoder: the layers that write, of inputs 2 E.
        attention: "additive" or "multiplicative".
        reader: of a source that is not tokens, such as frames; by default they are, and embedded.
        dropout_rate: on what was read, and on attentional vectors before the scores, in training (stacks have their own
            between layers).
        embedding_dropout: on embedded tokens, one mask for a whole row, in training.
        dtype: of the computation; parameters are float32, and so are the scores.
        rngs: draws the parameters.

    Raises:
        ValueError: sizes do not fit.
    """

    def __init__(
        self,
        vocabulary_size: int,
        encoder: Cell,
        decoder: Cell,
        *,
        attention: str = "multiplicative",
        reader: Reader | None = None,
        dropout_rate: float = 0.0,
        embedding_dropout: float = 0.0,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_rate("dropout_rate", dropout_rate)
        size, read = encoder.input_size, encoder.output_size
        if decoder.input_size != 2 * size:
            raise ValueError(f"decoder has inputs of {decoder.input_size}: expected {2 * size}, twice the encoder's")
        self.tokens = TiedEmbedding(vocabulary_size, size, dropout_rate=embedding_dropout, dtype=dtype, rngs=rngs)
        self.encoder = Recurrent(encoder, rngs=rngs)
        self.decoder = Recurrent(decoder, rngs=rngs)
        self.attention = Attention(attention, decoder.output_size, read, size, dtype=dtype, rngs=rngs)
        self.begin = nnx.Linear(read, size, dtype=dtype, rngs=rngs)
        self.join = nnx.Linear(decoder.output_size + read, size, dtype=dtype, rngs=rngs)
        self.reader, self.dropout_rate, self.dtype = reader, dropout_rate, dtype

    def __call__(
        self,
        source: Source,
        source_lengths: Int[Array, "B"],
        inputs: Int[Array, "T B"],
        *,
        key: Key | None = None,
    ) -> Float[jax.Array, "T B V"]:
        """Score each target token, given the true ones before it (teacher forcing).

        Args:
            source: int `[S, B]`, or what the reader takes.
            source_lengths: int `[B]`, at least 1; what lies after them has no influence.
            inputs: int `[T, B]`, the target tokens, each one step late.
            key: a typed key: training, with dropout.

        Returns:
            Logits float32 `[T, B, V]`.
        """
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        memory = self.encode(source, source_lengths, key=keys[0])
        ys, _ = self._write(memory, self.tokens.read(inputs, keys[1]))
        return self.tokens.score(dropout(keys[2], ys, self.dropout_rate))

    def align(
        self, source: Source, source_lengths: Int[Array, "B"], inputs: Int[Array, "T B"]
    ) -> Float[jax.Array, "T B S"]:
        """Where each target token looks: the weights of attention, float32 `[T, B, S]`; arguments as in a call."""
        return self._write(self.encode(source, source_lengths), self.tokens.read(inputs))[1]

    def encode(self, source: Source, lengths: Int[Array, "B"], *, key: Key | None = None) -> Memory:
        """Read a source, int `[S, B]`, or what the reader takes."""
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        xs = self.tokens.read(source, keys[0]) if self.reader is None else self.reader(source)
        ys = self.encoder(xs, lengths=lengths, key=keys[1]).ys
        ys = dropout(keys[2], ys, self.dropout_rate)
        valid = jnp.arange(ys.shape[0])[None] < jnp.asarray(lengths)[:, None]
        return self.attention.read(jnp.swapaxes(ys, 0, 1), valid)

    def start(self, memory: Memory, steps: int = 0) -> DecoderCarry:
        """The carry before the first token; `steps` matters only where a decoder has to know how many may come."""
        mean = memory.values.sum(1) / memory.valid.sum(1, keepdims=True).astype(memory.values.dtype)
        carry = self.decoder.initial_carry(mean.shape[:1], at_least_float32(self.dtype))
        return DecoderCarry(carry, jnp.tanh(self.begin(mean)))

    def step(
        self, memory: Memory, carry: DecoderCarry, token: Int[Array, "B"]
    ) -> tuple[DecoderCarry, Float[jax.Array, "B V"]]:
        """One token int `[B]` to the next carry and logits float32 `[B, V]`."""
        carry, (y, _) = self._advance(memory, carry, self.tokens.read(token))
        return carry, self.tokens.score(y)

    def _write(self, memory: Memory, xs: Float[jax.Array, "T B E"]) -> Any:
        return jax.lax.scan(lambda carry, x: self._advance(memory, carry, x), self.start(memory), xs)[1]

    def _advance(self, memory: Memory, carry: DecoderCarry, x: Float[jax.Array, "B E"]) -> Any:
        cell, h = self.decoder.step(carry.cell, jnp.concatenate([x, carry.fed], axis=-1))
        context, weights = self.attention(h, memory)
        y = jnp.tanh(self.join(jnp.concatenate([h, context], axis=-1)))
        return DecoderCarry(cell, y), (y, weights)
