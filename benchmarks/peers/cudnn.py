"""cuDNN from JAX: `jax.experimental.rnn.lstm`, on an NVIDIA GPU only, batches first. It has an LSTM only."""

from typing import Any

import jax
import jax.numpy as jnp

import rnn_jax
from benchmarks.peers.base import JaxPeer, Unavailable, mapped
from rnn_jax.interop.torch import state_dict_from_params
from rnn_jax.typing import Params


def build(cell: rnn_jax.Cell, params: Params) -> JaxPeer:
    if jax.default_backend() != "gpu":
        raise Unavailable("it needs an NVIDIA GPU")
    if type(cell) is not rnn_jax.LSTM:
        raise Unavailable("jax.experimental.rnn has an LSTM only")
    from jax.experimental import rnn

    def to_weights(params: Params) -> jax.Array:
        entries = state_dict_from_params(cell, params)
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        return jnp.concatenate([entries[name].ravel() for name in names])

    weights, pull = mapped(to_weights, params)
    sizes = {"input_size": cell.input_size, "hidden_size": cell.hidden_size, "num_layers": 1}

    def run(weights: jax.Array, carry: Any, xs: jax.Array) -> tuple[Any, jax.Array]:
        lengths = jnp.full(xs.shape[0], xs.shape[1], jnp.int32)
        precision = jax.lax.Precision.HIGHEST  # float32 on both sides
        ys, hidden, cells = rnn.lstm(
            xs, *carry, weights, lengths, **sizes, dropout=0.0, bidirectional=False, precision=precision
        )
        return (hidden, cells), ys

    def start(batch: int) -> Any:
        return tuple(jnp.zeros((1, batch, cell.hidden_size), weights.dtype) for _ in range(2))

    def step(weights: jax.Array, carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        carry, ys = run(weights, carry, x[:, None])
        return carry, ys[:, 0]

    return JaxPeer(
        cell=cell,
        params=params,
        weights=weights,
        pull=pull,
        apply=lambda weights, xs: run(weights, start(xs.shape[0]), xs)[1],
        step=step,
        start=start(1),
        time_axis=1,
    )
