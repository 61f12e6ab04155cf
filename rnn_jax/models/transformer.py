"""The transformer beside the recurrent networks: layers of Flax attention with normalisation before each part.

Vaswani et al. 2017, arXiv:1706.03762; normalisation before attention: Xiong et al. 2020, arXiv:2002.04745.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_rate, check_size
from rnn_jax.compose import dropout
from rnn_jax.typing import Array, Bool, DType, Float, Int, Key
from rnn_jax.unroll import Unrolled

Cache = tuple[Float[jax.Array, "B S N K"], Float[jax.Array, "B S N K"]]
"""Keys and values of each of N heads."""

Past = tuple[Float[jax.Array, "B T N K"], Float[jax.Array, "B T N K"]]
"""The same of a sequence that is being written."""


class Transformer(nnx.Module):
    """Layers of self-attention, called as a recurrent layer is: `(xs, lengths=, key=) -> (carry, ys)`.

    Args:
        input_size: D, projected to `size`.
        size: features of every layer, even and a multiple of `heads`; feed-forward parts are four times as wide.
        layers: how many.
        heads: of each attention.
        causal: whether a step sees only itself and those before it.
        dropout_rate: on what each part adds, in training.
        dtype: of the computation; parameters are float32.
        rngs: the stream `params` (or `default`) draws the parameters.

    Raises:
        ValueError: sizes do not fit.
    """

    def __init__(
        self,
        input_size: int,
        size: int,
        layers: int,
        heads: int,
        *,
        causal: bool = False,
        dropout_rate: float = 0.0,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_size("layers", layers)
        self.project = nnx.Linear(input_size, size, dtype=dtype, rngs=rngs)
        blocks = [Block(size, heads, dropout_rate=dropout_rate, dtype=dtype, rngs=rngs) for _ in range(layers)]
        self.blocks = nnx.List(blocks)
        self.norm = nnx.LayerNorm(size, dtype=dtype, rngs=rngs)
        self.causal = causal
        self.input_size, self.output_size = input_size, size

    def __call__(
        self, xs: Float[Array, "T B D"], *, lengths: Int[Array, "B"] | None = None, key: Key | None = None
    ) -> Unrolled:
        """Transform a sequence.

        Args:
            xs: `[T, B, D]`.
            lengths: int `[B]`, valid steps of each row; what lies after them has no influence.
            key: a typed key: training, with dropout.

        Returns:
            An empty carry, and outputs `[T, B, size]`, zero after the end of a row.
        """
        xs = jnp.swapaxes(jnp.asarray(xs), 0, 1)
        mask, valid = attention_mask(xs.shape[0], xs.shape[1], lengths, self.causal)
        xs = self.project(jnp.where(valid, xs, 0.0))
        xs = xs + positions(xs.shape[1], xs.shape[2])[None].astype(xs.dtype)
        for i, block in enumerate(self.blocks):
            xs = block(xs, mask, key=None if key is None else jax.random.fold_in(key, i))
        return Unrolled((), jnp.swapaxes(jnp.where(valid, self.norm(xs), 0.0), 0, 1))


class Block(nnx.Module):
    """Self-attention, attention to a memory where there is one, and a feed-forward part, each added to its input.

    Args:
        size: features, even and a multiple of `heads`.
        heads: of each attention.
        memory_size: features of the memory; 0 where there is none.
        dropout_rate: on what each part adds, in training.
        dtype: of the computation.
        rngs: draws the parameters.
    """

    def __init__(
        self,
        size: int,
        heads: int,
        *,
        memory_size: int = 0,
        dropout_rate: float = 0.0,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_size("heads", heads)
        check_rate("dropout_rate", dropout_rate)
        if size % heads or size % 2:
            raise ValueError(f"size={size}: expected an even multiple of heads={heads}")
        self.self_norm = nnx.LayerNorm(size, dtype=dtype, rngs=rngs)
        self.self_attention = nnx.MultiHeadAttention(heads, size, dtype=dtype, rngs=rngs)
        if memory_size:
            self.memory_norm = nnx.LayerNorm(size, dtype=dtype, rngs=rngs)
            self.memory_attention = nnx.MultiHeadAttention(
                heads, size, in_kv_features=memory_size, dtype=dtype, rngs=rngs
            )
        self.forward_norm = nnx.LayerNorm(size, dtype=dtype, rngs=rngs)
        self.expand = nnx.Linear(size, 4 * size, dtype=dtype, rngs=rngs)
        self.contract = nnx.Linear(4 * size, size, dtype=dtype, rngs=rngs)
        self.dropout_rate = dropout_rate

    def __call__(
        self,
        xs: Float[jax.Array, "B T F"],
        mask: Bool[jax.Array, "#B #N #T T"],
        memory: Cache | None = None,
        memory_mask: Bool[jax.Array, "B #N #T S"] | None = None,
        key: Key | None = None,
    ) -> Float[jax.Array, "B T F"]:
        """Transform all steps at once.

        Args:
            xs: `[B, T, size]`.
            mask: bool, broadcast against `[B, heads, T, T]`: which step sees which.
            memory: from `read`.
            memory_mask: bool, broadcast against `[B, heads, T, S]`.
            key: training, with dropout.
        """
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        xs = self._with_itself(xs, mask, keys[0])
        return self._with_memory(xs, memory, memory_mask, keys[1:])

    def step(
        self,
        cache: Past,
        x: Float[jax.Array, "B F"],
        position: Int[jax.Array, "B"],
        memory: Cache | None,
        memory_mask: Bool[jax.Array, "B #N #T S"] | None,
    ) -> tuple[Past, Float[jax.Array, "B F"]]:
        """One step, x `[B, size]`, at `position` int32 `[B]`; `cache` has the keys and values of the steps before."""
        xs = x[:, None]
        steps = jnp.arange(cache[0].shape[1])[None]
        here = (steps == position[:, None])[..., None, None]
        normed = self.self_norm(xs)
        new = read(self.self_attention, normed)
        cache = jnp.where(here, new[0], cache[0]), jnp.where(here, new[1], cache[1])
        mask = (steps <= position[:, None])[:, None, None]
        xs = xs + attend(self.self_attention, normed, cache, mask)
        return cache, self._with_memory(xs, memory, memory_mask)[:, 0]

    def weights(
        self,
        xs: Float[jax.Array, "B T F"],
        mask: Bool[jax.Array, "#B #N #T T"],
        memory: Cache,
        memory_mask: Bool[jax.Array, "B #N #T S"] | None,
    ) -> Float[jax.Array, "B T S"]:
        """Where in the memory each step looks: float32 `[B, T, S]`, the mean over heads; arguments as in a call."""
        query = self.memory_attention.query(self.memory_norm(self._with_itself(xs, mask, None)))
        scores = jnp.einsum("bthd,bshd->bhts", query, memory[0]).astype(jnp.float32) / query.shape[-1] ** 0.5
        return jax.nn.softmax(scores if memory_mask is None else jnp.where(memory_mask, scores, -jnp.inf)).mean(1)

    def _with_itself(
        self, xs: Float[jax.Array, "B T F"], mask: Bool[jax.Array, "#B #N #T T"], key: Key | None
    ) -> Float[jax.Array, "B T F"]:
        normed = self.self_norm(xs)
        return xs + dropout(
            key, attend(self.self_attention, normed, read(self.self_attention, normed), mask), self.dropout_rate
        )

    def _with_memory(
        self, xs: jax.Array, memory: Cache | None, mask: jax.Array | None, keys: tuple = (None, None)
    ) -> jax.Array:
        if memory is not None:
            xs = xs + dropout(
                keys[0], attend(self.memory_attention, self.memory_norm(xs), memory, mask), self.dropout_rate
            )
        return xs + dropout(keys[1], self.contract(jax.nn.gelu(self.expand(self.forward_norm(xs)))), self.dropout_rate)


def read(attention: nnx.MultiHeadAttention, xs: Float[jax.Array, "B S F"]) -> Cache:
    """What attention looks at: keys and values of xs `[B, T, F]`."""
    return attention.key(xs), attention.value(xs)


def attend(
    attention: nnx.MultiHeadAttention,
    xs: Float[jax.Array, "B T F"],
    cache: Cache,
    mask: Bool[jax.Array, "B #N #T S"] | None,
) -> Float[jax.Array, "B T F"]:
    """What the steps xs `[B, T, F]` find in keys and values; one that may look nowhere gets the mean of the values."""
    query = attention.query(xs)
    return attention.out(nnx.dot_product_attention(query, *cache, mask=mask))


def attention_mask(
    batch: int, length: int, lengths: Int[Array, "B"] | None, causal: bool = False
) -> tuple[Bool[jax.Array, "B 1 T T"], Bool[jax.Array, "B T 1"]]:
    """Which steps see which, bool `[B, 1, T, T]`, and which are valid, bool `[B, T, 1]`."""
    steps = jnp.arange(length)
    ends = jnp.full((batch,), length) if lengths is None else jnp.asarray(lengths)
    valid = steps[None] < ends[:, None]
    sees = steps[:, None] >= steps[None] if causal else jnp.ones((length, length), bool)
    return valid[:, None, None] & sees[None, None], valid[..., None]


def positions(length: int, size: int, first: Int[Array, ""] | int = 0) -> Float[jax.Array, "{length} {size}"]:
    """The sines and cosines of section 3.5 of Vaswani et al. 2017: float32 `[length, size]`, from step `first` on."""
    steps = jnp.arange(length, dtype=jnp.float32) + jnp.asarray(first, jnp.float32)
    rates = jnp.exp(-jnp.log(10000.0) * jnp.arange(0, size, 2, dtype=jnp.float32) / size)
    angles = steps[:, None] * rates[None]
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
