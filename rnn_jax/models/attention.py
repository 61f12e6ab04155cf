"""How a decoder looks back at what was read: additive and multiplicative attention."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_choice
from rnn_jax.typing import Bool, DType, Float

KINDS = ("additive", "multiplicative")


class Memory(NamedTuple):
    """What was read, for a decoder to look at; every leaf `[B, ...]`."""

    values: Float[jax.Array, "B S F"]
    """`[B, S, F]`, zero after the end of a row."""
    keys: Float[jax.Array, "B S A"]
    """`[B, S, A]`, the values as attention compares them."""
    valid: Bool[jax.Array, "B S"]
    """bool `[B, S]`."""


class Attention(nnx.Module):
    """A mean of the values whose weights are the softmax of scores that compare each with a query q.

    additive        scoreₛ = vᵀ tanh(W q + U valueₛ)      Bahdanau et al. 2014, arXiv:1409.0473
    multiplicative  scoreₛ = (W q)ᵀ U valueₛ / √A         Luong et al. 2015, arXiv:1508.04025, "general", scaled

    Args:
        kind: "additive" or "multiplicative".
        query_size: features of q.
        value_size: F.
        size: A.
        dtype: of the computation; the softmax is in float32.
        rngs: draws the parameters.
    """

    def __init__(
        self, kind: str, query_size: int, value_size: int, size: int, *, dtype: DType = jnp.float32, rngs: nnx.Rngs
    ):
        check_choice("attention", kind, KINDS)
        self.query = nnx.Linear(query_size, size, dtype=dtype, rngs=rngs)
        self.key = nnx.Linear(value_size, size, use_bias=False, dtype=dtype, rngs=rngs)
        self.weigh = nnx.Linear(size, 1, use_bias=False, dtype=dtype, rngs=rngs) if kind == "additive" else None

    def read(self, values: Float[jax.Array, "B S F"], valid: Bool[jax.Array, "B S"]) -> Memory:
        """The memory of values `[B, S, F]`, valid bool `[B, S]`; made once for all queries."""
        values = jnp.where(valid[..., None], values, 0.0)
        return Memory(values, self.key(values), valid)

    def __call__(
        self, query: Float[jax.Array, "B Q"], memory: Memory
    ) -> tuple[Float[jax.Array, "B F"], Float[jax.Array, "B S"]]:
        """What a query `[B, Q]` finds, `[B, F]`, and the weights, float32 `[B, S]`, of a row with a valid step."""
        q = self.query(query)
        if self.weigh is None:
            scores = jnp.einsum("bsa,ba->bs", memory.keys, q) / jnp.sqrt(q.shape[-1]).astype(q.dtype)
        else:
            scores = self.weigh(jnp.tanh(memory.keys + q[:, None]))[..., 0]
        weights = jax.nn.softmax(jnp.where(memory.valid, scores.astype(jnp.float32), -jnp.inf), axis=-1)
        return jnp.einsum("bs,bsf->bf", weights.astype(q.dtype), memory.values), weights
