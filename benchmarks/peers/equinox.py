"""Equinox: a cell in `jax.lax.scan`, mapped over the batch with `jax.vmap`, as its documentation does.

It has no plain recurrent cell: that one is a module written in the style of the others.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

import rnn_jax
from benchmarks.peers.base import JaxPeer, Unavailable, mapped
from rnn_jax.typing import Params


class ElmanCell(eqx.Module):
    """tanh(W x + U h + b) in the style of Equinox's cells: kernels are (out, in), no batch."""

    weight_ih: jax.Array
    weight_hh: jax.Array
    bias: jax.Array

    def __call__(self, input: jax.Array, hidden: jax.Array) -> jax.Array:
        return jnp.tanh(self.weight_ih @ input + self.weight_hh @ hidden + self.bias)


def build(cell: rnn_jax.Cell, params: Params) -> JaxPeer:
    sizes, is_lstm = (cell.input_size, cell.hidden_size), isinstance(cell, rnn_jax.LSTM)
    if type(cell) is rnn_jax.Elman:
        module: Any = ElmanCell(*(jnp.zeros(()) for _ in range(3)))
    elif type(cell) in (rnn_jax.LSTM, rnn_jax.GRU):
        make = eqx.nn.LSTMCell if is_lstm else eqx.nn.GRUCell
        module = make(*sizes, key=jax.random.key(0))
    else:
        raise Unavailable(f"Equinox has no {type(cell).__name__}")

    def to_weights(params: Params) -> Any:
        kernels = [params[side]["kernel"].T for side in ("input", "recurrent")]
        arrays = [*kernels, params["input"]["bias"]]
        if isinstance(cell, rnn_jax.GRU):
            arrays.append(params["recurrent"]["bias"])
        names = ("weight_ih", "weight_hh", "bias", "bias_n")[: len(arrays)]
        return eqx.tree_at(lambda m: [getattr(m, name) for name in names], module, arrays)

    weights, pull = mapped(to_weights, params)
    zeros = jnp.zeros(cell.hidden_size)
    start = (zeros, zeros) if is_lstm else zeros

    def step(module: Any, carry: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        carry = module(x, carry)
        return carry, carry[0] if is_lstm else carry

    def sequence(module: Any, xs: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda carry, x: step(module, carry, x), start, xs)[1]

    return JaxPeer(
        cell=cell,
        params=params,
        weights=weights,
        pull=pull,
        apply=jax.vmap(sequence, in_axes=(None, 1), out_axes=1),
        step=lambda module, carry, x: step(module, carry, x[0]),
        start=start,
    )
