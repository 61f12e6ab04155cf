"""Initial values of recurrent parameters: gates side by side, the identity, a constant in one gate's bias."""

from collections.abc import Callable

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


def gated_kernels(
    key: jax.Array,
    input_size: int,
    hidden_size: int,
    gates: int,
    param_dtype: DType = jnp.float32,
    recurrent: Callable[..., jax.Array] = orthogonal,
) -> dict[str, dict[str, jax.Array]]:
    """The kernels of a cell whose gates read input and hidden state alike, before any bias is added.

    Args:
        key: a typed key.
        input_size: D.
        hidden_size: H.
        gates: how many gates stand side by side.
        param_dtype: of the kernels.
        recurrent: initializer of each recurrent block; the input blocks are Glorot-uniform.

    Returns:
        `{"input": {"kernel": [D, gates H]}, "recurrent": {"kernel": [H, gates H]}}`.
    """
    input_key, recurrent_key = jax.random.split(key)
    shape = (input_size, hidden_size)
    return {
        "input": {"kernel": side_by_side(glorot_uniform, input_key, shape, gates, param_dtype)},
        "recurrent": {"kernel": side_by_side(recurrent, recurrent_key, (hidden_size, hidden_size), gates, param_dtype)},
    }
