"""Initial values of recurrent parameters: gates side by side, the identity, what one gate's bias starts as."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.typing import DType, at_least_float32

glorot_uniform = jax.nn.initializers.glorot_uniform()
"""Uniform in ±√(6 / (in + out)); Glorot & Bengio 2010."""


def orthogonal(key: jax.Array, shape: tuple[int, ...], dtype: DType = jnp.float32) -> jax.Array:
    """A random orthogonal matrix, all singular values one; Saxe et al. 2013, arXiv:1312.6120."""
    # The QR decomposition behind it exists in float32 and float64 only.
    return jax.nn.initializers.orthogonal()(key, shape, at_least_float32(dtype)).astype(dtype)


def identity(key: jax.Array, shape: tuple[int, ...], dtype: DType = jnp.float32) -> jax.Array:
    """The identity matrix, which makes a linear recurrence remember perfectly; Le et al. 2015, arXiv:1504.00941."""
    del key
    return jnp.eye(*shape, dtype=dtype)


def columns(
    initializer: Callable[..., jax.Array],
    key: jax.Array,
    input_size: int,
    sizes: tuple[int, ...],
    dtype: DType = jnp.float32,
) -> jax.Array:
    """One kernel `[in, sum(sizes)]` whose blocks `[in, size]` are drawn apart, as in `per_gate`, of any sizes."""
    keys = jax.random.split(key, len(sizes))
    return jnp.concatenate([initializer(k, (input_size, n), dtype) for k, n in zip(keys, sizes, strict=True)], axis=1)


def per_gate(initializer, key: jax.Array, shape: tuple[int, int], gates: int, dtype: DType = jnp.float32) -> jax.Array:
    """One kernel `[in, gates * out]` whose blocks `[in, out]` are drawn apart, so that each gate has its own scale.

    Args:
        initializer: `f(key, shape, dtype)`, as in `jax.nn.initializers`.
        key: a typed key.
        shape: (in, out) of one gate.
        gates: how many gates stand side by side.
        dtype: of the result.
    """
    return jnp.concatenate([initializer(k, shape, dtype) for k in jax.random.split(key, gates)], axis=1)


def in_heads(draw: Callable[[jax.Array], jax.Array], key: jax.Array, heads: int) -> jax.Array:
    """`draw(key)`, the kernel of a head, for one head; for N of them `[N, ...]`, each drawn with a key of its own."""
    return draw(key) if heads == 1 else jax.vmap(draw)(jax.random.split(key, heads))


def gate_bias(values: tuple[float, ...], hidden_size: int, dtype: DType = jnp.float32) -> jax.Array:
    """A bias `[gates * H]` with one constant a gate: `(0, 1, 0, 0)` opens the forget gate of an LSTM."""
    return jnp.repeat(jnp.asarray(values, dtype), hidden_size)


def chrono(key: jax.Array, hidden_size: int, longest: int, dtype: DType = jnp.float32) -> jax.Array:
    """A forget gate's bias `[H]` for dependences of up to `longest` steps: ln U(1, longest − 1).

    A gate that stays at σ(b) remembers for about 1 + eᵇ steps, so the units cover 2 to `longest` steps evenly. The bias
    of a separate input gate is the negative of this one. Tallec & Ollivier 2018, arXiv:1804.11188.

    Raises:
        ValueError: `longest` is not an int of at least 2.
    """
    check_longest(longest)
    spans = jax.random.uniform(key, (hidden_size,), at_least_float32(dtype), 1.0, longest - 1.0)
    return jnp.log(spans).astype(dtype)


def check_longest(longest: Any) -> None:
    """Raise a ValueError unless `longest` is a time that `chrono` takes."""
    if isinstance(longest, bool) or not isinstance(longest, int) or longest < 2:
        raise ValueError(f"longest={longest!r}: expected an int of at least 2, in steps")


def check_longest_of_cell(longest: Any, bias: bool) -> None:
    """Raise a ValueError unless `longest` is None or a time for `chrono`, with biases to start by it."""
    if longest is not None:
        check_longest(longest)
        if not bias:
            raise ValueError(f"longest={longest!r} with bias=False: it says what a bias starts as; leave one of them")


def ring(
    key: jax.Array, size: int, r_min: float = 0.0, r_max: float = 1.0, max_phase: float = 2 * math.pi
) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues exp(−exp(ν) + i exp(θ)) uniform over a ring, as ν and θ `[size]`; Orvieto et al. 2023, lemma 3.2.

    Args:
        key: a typed key.
        size: how many eigenvalues.
        r_min: the ring's inner radius, 0 or more.
        r_max: its outer radius, at most 1.
        max_phase: phases lie between 0 and this, in radians.
    """
    epsilon = float(jnp.finfo(jnp.float32).eps)
    radius, phase = jax.random.uniform(key, (2, size), minval=epsilon, maxval=1 - epsilon)
    # One minus the squared radius, which keeps its digits where the radius is close to one.
    gap = 1 - r_max**2 + radius * (r_max**2 - r_min**2)
    return jnp.log(-0.5 * jnp.log1p(-gap)), jnp.log(max_phase * phase)


def log_uniform(
    key: jax.Array, shape: tuple[int, ...], low: float, high: float, dtype: DType = jnp.float32
) -> jax.Array:
    """The logarithms of values between `low` and `high`, uniform: the time steps of state space models."""
    return jax.random.uniform(key, shape, minval=math.log(low), maxval=math.log(high)).astype(dtype)


def softplus_bias(key: jax.Array, size: int, low: float, high: float, dtype: DType = jnp.float32) -> jax.Array:
    """A bias `[size]` whose softplus is log-uniform between `low` and `high`; Gu & Dao 2023, arXiv:2312.00752."""
    a = jnp.exp(log_uniform(key, (size,), low, high))
    return (a + jnp.log(-jnp.expm1(-a))).astype(dtype)


def gated_kernels(
    key: jax.Array,
    input_size: int,
    hidden_size: int,
    gates: int,
    param_dtype: DType = jnp.float32,
    recurrent: Callable[..., jax.Array] = orthogonal,
    recurrent_gates: int | None = None,
    heads: int = 1,
) -> dict[str, dict[str, jax.Array]]:
    """The kernels of a cell whose gates read the input and the hidden state, before any bias is added.

    Args:
        key: a typed key.
        input_size: D.
        hidden_size: H.
        gates: how many gates stand side by side.
        param_dtype: of the kernels.
        recurrent: initializer of each recurrent block; the input blocks are Glorot-uniform.
        recurrent_gates: how many of them read the hidden state; as many as read the input by default.
        heads: N, a divisor of H.

    Returns:
        `{"input": {"kernel": [D, gates H]}, "recurrent": {"kernel": [H, recurrent_gates H]}}`; the recurrent kernel of
        several heads is `[N, H / N, recurrent_gates H / N]`.
    """
    recurrent_gates = gates if recurrent_gates is None else recurrent_gates
    input_key, recurrent_key = jax.random.split(key)
    shape, square = (input_size, hidden_size), (hidden_size // heads,) * 2

    def of_head(key: jax.Array) -> jax.Array:
        return per_gate(recurrent, key, square, recurrent_gates, param_dtype)

    return {
        "input": {"kernel": per_gate(glorot_uniform, input_key, shape, gates, param_dtype)},
        "recurrent": {"kernel": in_heads(of_head, recurrent_key, heads)},
    }
