"""The encoder-decoder of transformer layers, with the calls of the recurrent one."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_size
from rnn_jax.compose import dropout
from rnn_jax.models.embedding import TiedEmbedding
from rnn_jax.models.encoder_decoder import Reader, Source
from rnn_jax.models.transformer import Block, Cache, Past, Transformer, attention_mask, positions, read
from rnn_jax.typing import Array, Bool, DType, Float, Hidden, Int, Key


class ReadSource(NamedTuple):
    """What was read: keys and values for each decoder layer, and bool `[B, S]`."""

    layers: tuple[Cache, ...]
    valid: Bool[jax.Array, "B S"]


class CacheCarry(NamedTuple):
    """Keys and values of the tokens before, layer by layer, and the place of the next one, int32 `[B]`."""

    layers: tuple[Past, ...]
    position: Int[jax.Array, "B"]


class TransformerEncoderDecoder(nnx.Module):
    """p(target token | source, targets before it) of a transformer; see `EncoderDecoder` for the calls.

    Args:
        vocabulary_size: V, of source and target together.
        embedding_size: E, of the one embedding that source, target and scores share.
        size: features of every layer.
        layers: of the encoder, and of the decoder.
        heads: of each attention.
        reader: of a source that is not tokens; see `EncoderDecoder`.
        dropout_rate: on what each part adds and before the scores, in training.
        embedding_dropout: on embedded tokens, one mask for a whole row, in training.
        dtype: of the computation; parameters are float32, and so are the scores.
        rngs: draws the parameters.

    Raises:
        ValueError: sizes do not fit.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        size: int,
        layers: int,
        heads: int,
        *,
        reader: Reader | None = None,
        dropout_rate: float = 0.0,
        embedding_dropout: float = 0.0,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_size("layers", layers)
        self.tokens = TiedEmbedding(
            vocabulary_size, embedding_size, dropout_rate=embedding_dropout, dtype=dtype, rngs=rngs
        )
        self.encoder = Transformer(
            embedding_size, size, layers, heads, dropout_rate=dropout_rate, dtype=dtype, rngs=rngs
        )
        self.project = nnx.Linear(embedding_size, size, dtype=dtype, rngs=rngs)
        blocks = [
            Block(size, heads, memory_size=size, dropout_rate=dropout_rate, dtype=dtype, rngs=rngs)
            for _ in range(layers)
        ]
        self.blocks = nnx.List(blocks)
        self.norm = nnx.LayerNorm(size, dtype=dtype, rngs=rngs)
        self.join = nnx.Linear(size, embedding_size, dtype=dtype, rngs=rngs)
        self.reader, self.dropout_rate = reader, dropout_rate

    def __call__(
        self,
        source: Source,
        source_lengths: Int[Array, "B"],
        inputs: Int[Array, "T B"],
        *,
        key: Key | None = None,
    ) -> Float[jax.Array, "T B V"]:
        """Score each target token, given the true ones before it: logits float32 `[T, B, V]`."""
        keys = (None,) * (3 + len(self.blocks)) if key is None else tuple(jax.random.split(key, 3 + len(self.blocks)))
        memory = self.encode(source, source_lengths, key=keys[0])
        xs, mask = self._prepared(inputs, keys[1])
        for block, seen, k in zip(self.blocks, memory.layers, keys[3:], strict=True):
            xs = block(xs, mask, seen, memory.valid[:, None, None], key=k)
        ys = jnp.swapaxes(xs, 0, 1)
        return self._score(dropout(keys[2], ys, self.dropout_rate))

    def align(
        self, source: Source, source_lengths: Int[Array, "B"], inputs: Int[Array, "T B"]
    ) -> Float[jax.Array, "T B S"]:
        """Where each target token looks: the weights of the last layer, mean over heads, float32 `[T, B, S]`."""
        memory = self.encode(source, source_lengths)
        valid = memory.valid[:, None, None]
        xs, mask = self._prepared(inputs, None)
        for block, seen in zip(self.blocks[:-1], memory.layers[:-1], strict=True):
            xs = block(xs, mask, seen, valid)
        return jnp.swapaxes(self.blocks[-1].weights(xs, mask, memory.layers[-1], valid), 0, 1)

    def encode(self, source: Source, lengths: Int[Array, "B"], *, key: Key | None = None) -> ReadSource:
        """Read a source, int `[S, B]`, or what the reader takes."""
        keys = (None, None) if key is None else tuple(jax.random.split(key))
        xs = self.tokens.read(source, keys[0]) if self.reader is None else self.reader(source)
        ys = self.encoder(xs, lengths=lengths, key=keys[1]).ys
        valid = jnp.arange(ys.shape[0])[None] < jnp.asarray(lengths)[:, None]
        values = jnp.swapaxes(ys, 0, 1)
        return ReadSource(tuple(read(block.memory_attention, values) for block in self.blocks), valid)

    def start(self, memory: ReadSource, steps: int) -> CacheCarry:
        """The carry before the first token of at most `steps`."""
        zeros = [jnp.zeros_like(k, shape=(k.shape[0], steps, *k.shape[2:])) for k, _ in memory.layers]
        return CacheCarry(tuple((z, z) for z in zeros), jnp.zeros(memory.valid.shape[:1], jnp.int32))

    def step(
        self, memory: ReadSource, carry: CacheCarry, token: Int[Array, "B"]
    ) -> tuple[CacheCarry, Float[jax.Array, "B V"]]:
        """One token int `[B]` to the next carry and logits float32 `[B, V]`."""
        x = self.project(self.tokens.read(token))
        x = x + jax.vmap(lambda p: positions(1, x.shape[-1], p)[0])(carry.position).astype(x.dtype)
        caches = []
        for block, cache, seen in zip(self.blocks, carry.layers, memory.layers, strict=True):
            cache, x = block.step(cache, x, carry.position, seen, memory.valid[:, None, None])
            caches.append(cache)
        return CacheCarry(tuple(caches), carry.position + 1), self._score(x)

    def _prepared(
        self, inputs: Int[Array, "T B"], key: Key | None
    ) -> tuple[Float[jax.Array, "B T F"], Bool[jax.Array, "B 1 T T"]]:
        """Target tokens as the blocks take them, `[B, T, size]`, and which sees which."""
        xs = self.project(jnp.swapaxes(self.tokens.read(inputs, key), 0, 1))
        mask, _ = attention_mask(xs.shape[0], xs.shape[1], None, causal=True)
        return xs + positions(xs.shape[1], xs.shape[2])[None].astype(xs.dtype), mask

    def _score(self, xs: Hidden) -> Float[jax.Array, "*B V"]:
        return self.tokens.score(self.join(self.norm(xs)))
