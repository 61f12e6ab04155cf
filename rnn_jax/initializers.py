"""Initial values of recurrent parameters: gates side by side, the identity, a constant in one gate's bias."""

import jax
import jax.numpy as jnp

from rnn_jax.typing import DType

glorot_uniform = jax.nn.initializers.glorot_uniform()
"""Uniform in ±√(6 / (in + out)); Glorot & Bengio 2010."""


def orthogonal(key: jax.Array, shape: tuple[int, ...], dtype: DType = jnp.float32) -> jax.Array:
    """A random orthogonal matrix, all singular values one; Saxe et al. 2013, arXiv:1312.6120."""
    # The QR decomposition behind it exists in float32 and float64 only.
    wide = dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32
    return jax.nn.initializers.orthogonal()(key, shape, wide).astype(dtype)


def identity(key: jax.Array, shape: tuple[int, ...], dtype: DType = jnp.float32) -> jax.Array:
    """The identity matrix, which makes a linear recurrence remember perfectly; Le et al. 2015, arXiv:1504.00941."""
    del key
    return jnp.eye(*shape, dtype=dtype)


def side_by_side(
    initializer, key: jax.Array, shape: tuple[int, int], gates: int, dtype: DType = jnp.float32
) -> jax.Array:
    """One kernel `[in, gates * out]` whose blocks `[in, out]` are drawn apart, so that each gate has its own scale.

    Args:
        initializer: `f(key, shape, dtype)`, as in `jax.nn.initializers`.
        key: a typed key.
        shape: (in, out) of one gate.
        gates: how many gates stand side by side.
        dtype: of the result.
    """
    return jnp.concatenate([initializer(k, shape, dtype) for k in jax.random.split(key, gates)], axis=1)


def gate_bias(values: tuple[float, ...], hidden_size: int, dtype: DType = jnp.float32) -> jax.Array:
    """A bias `[gates * H]` with one constant a gate: `(0, 1, 0, 0)` opens the forget gate of an LSTM."""
    return jnp.repeat(jnp.asarray(values, dtype), hidden_size)
