"""Keras 3 on its JAX backend: the recurrent layers by `stateless_call`, not unrolled, batches first.

On a GPU its LSTM is cuDNN's.
"""

import os
from typing import Any

import jax
import jax.numpy as jnp

import rnn_jax
from benchmarks.peers.base import JaxPeer, Unavailable, mapped
from rnn_jax.interop.keras import weights_from_params
from rnn_jax.typing import Params

os.environ.setdefault("KERAS_BACKEND", "jax")  # chosen when Keras is imported

import keras

KINDS: dict[type, Any] = {
    rnn_jax.LSTM: keras.layers.LSTM,
    rnn_jax.GRU: keras.layers.GRU,
    rnn_jax.Elman: keras.layers.SimpleRNN,
}


def build(cell: rnn_jax.Cell, params: Params) -> JaxPeer:
    if keras.backend.backend() != "jax":
        raise Unavailable(f"KERAS_BACKEND={keras.backend.backend()}: expected jax")
    if type(cell) not in KINDS:
        raise Unavailable(f"Keras has no {type(cell).__name__}")
    weights, pull = mapped(lambda params: weights_from_params(cell, params), params)
    layer = KINDS[type(cell)](cell.hidden_size, return_sequences=True, unroll=False)
    layer.build((None, None, cell.input_size))
    others = [variable.value for variable in layer.non_trainable_variables]
    zeros = jnp.zeros((1, cell.hidden_size))

    def apply(weights: list[jax.Array], xs: jax.Array) -> jax.Array:
        return layer.stateless_call(weights, others, xs)[0]

    def step(weights: list[jax.Array], carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        (y, carry), _ = layer.cell.stateless_call(weights, others, x, list(carry))
        return tuple(carry), y

    return JaxPeer(
        cell=cell,
        params=params,
        weights=weights,
        pull=pull,
        apply=apply,
        step=step,
        start=(zeros, zeros) if isinstance(cell, rnn_jax.LSTM) else (zeros,),
        time_axis=1,
    )
