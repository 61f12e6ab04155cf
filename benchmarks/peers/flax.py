"""Flax NNX: `nnx.RNN` over OptimizedLSTMCell, GRUCell or SimpleCell; split once, merged inside the compiled program."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import rnn_jax
from benchmarks.peers.base import JaxPeer, Unavailable, mapped, without_candidate_bias
from rnn_jax.typing import Params

KINDS: dict[type, Any] = {
    rnn_jax.LSTM: nnx.OptimizedLSTMCell,
    rnn_jax.GRU: nnx.GRUCell,
    rnn_jax.Elman: nnx.SimpleCell,
}


def build(cell: rnn_jax.Cell, params: Params) -> JaxPeer:
    if type(cell) not in KINDS:
        raise Unavailable(f"Flax NNX has no {type(cell).__name__}")
    if isinstance(cell, rnn_jax.GRU):
        params = without_candidate_bias(params)
    bias_side = "dense_h" if isinstance(cell, rnn_jax.LSTM) else "dense_i"

    def to_weights(params: Params) -> dict[str, Any]:
        dense = {
            "dense_i": {"kernel": params["input"]["kernel"]},
            "dense_h": {"kernel": params["recurrent"]["kernel"]},
        }
        dense[bias_side]["bias"] = params["input"]["bias"]
        return {"cell": dense}

    weights, pull = mapped(to_weights, params)
    module = nnx.RNN(
        KINDS[type(cell)](cell.input_size, cell.hidden_size, rngs=nnx.Rngs(0)), time_major=True, rngs=False
    )
    nnx.update(module, weights)
    graph, state = nnx.split(module)

    def carry(batch: int) -> Any:
        zeros = jnp.zeros((batch, cell.hidden_size))
        return (zeros, zeros) if isinstance(cell, rnn_jax.LSTM) else zeros

    def apply(state: nnx.State, xs: jax.Array) -> jax.Array:
        return nnx.merge(graph, state)(xs, initial_carry=carry(xs.shape[1]))

    def step(state: nnx.State, carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        return nnx.merge(graph, state).cell(carry, x)

    return JaxPeer(
        cell=cell,
        params=params,
        weights=state,
        pull=lambda gradients: pull(nnx.to_pure_dict(gradients)),
        apply=apply,
        step=step,
        start=carry(1),
    )
