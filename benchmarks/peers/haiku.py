"""Haiku: `hk.dynamic_unroll` under `hk.transform`, time-major.

Its LSTM has one kernel for input and hidden state, gates i, g, f, o, and adds one to the forget gate. Its GRU resets
before the product, as `rnn_jax.GRUResetBefore` does, to which it is compared; its update gate lets the new state in.
Its VanillaRNN has relu only, so the plain network is a core in its style with tanh.
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

import rnn_jax
from benchmarks.peers.base import JaxPeer, Unavailable, mapped
from rnn_jax.typing import Params


class TanhRNN(hk.RNNCore):
    """`hk.VanillaRNN` with tanh, and one bias."""

    def __init__(self, hidden_size: int):
        super().__init__(name="rnn")
        self.hidden_size = hidden_size

    def __call__(self, inputs: jax.Array, prev_state: jax.Array) -> tuple[jax.Array, jax.Array]:
        input_to_hidden = hk.Linear(self.hidden_size, name="input")
        hidden_to_hidden = hk.Linear(self.hidden_size, with_bias=False, name="hidden")
        out = jnp.tanh(input_to_hidden(inputs) + hidden_to_hidden(prev_state))
        return out, out

    def initial_state(self, batch_size: int | None) -> jax.Array:
        return jnp.zeros((self.hidden_size,) if batch_size is None else (batch_size, self.hidden_size))


def build(cell: rnn_jax.Cell, params: Params) -> JaxPeer:
    if isinstance(cell, rnn_jax.GRU):
        cell = rnn_jax.GRUResetBefore(cell.input_size, cell.hidden_size)
        params = params | {"recurrent": {"kernel": params["recurrent"]["kernel"]}}
    if type(cell) not in _MAPS:
        raise Unavailable(f"Haiku has no {type(cell).__name__}")
    make, to_weights = _MAPS[type(cell)]
    weights, pull = mapped(to_weights, params)

    def unrolled(xs: jax.Array) -> jax.Array:
        core = make(cell.hidden_size)
        ys, _ = hk.dynamic_unroll(core, xs, core.initial_state(xs.shape[1]))
        return ys

    def one(x: jax.Array, carry: Any) -> tuple[jax.Array, Any]:
        return make(cell.hidden_size)(x, carry)

    apply, step = (hk.without_apply_rng(hk.transform(f)).apply for f in (unrolled, one))
    zeros = jnp.zeros((1, cell.hidden_size))
    return JaxPeer(
        cell=cell,
        params=params,
        weights=weights,
        pull=pull,
        apply=apply,
        step=lambda weights, carry, x: step(weights, x, carry)[::-1],
        start=hk.LSTMState(zeros, zeros) if isinstance(cell, rnn_jax.LSTM) else zeros,
    )


def _lstm(params: Params) -> dict[str, Any]:
    kernels = jnp.concatenate([params["input"]["kernel"], params["recurrent"]["kernel"]])
    i, f, g, o = jnp.split(params["input"]["bias"], 4)
    return {"lstm/linear": {"w": _reordered(kernels, 4, (0, 2, 1, 3)), "b": jnp.concatenate([i, g, f - 1, o])}}


def _gru(params: Params) -> dict[str, Any]:
    """From r, z, n to z, r, a, where Haiku's z is one minus ours: σ(−a) = 1 − σ(a)."""

    def converted(array: jax.Array) -> jax.Array:
        r, z, n = jnp.split(array, 3, axis=-1)
        return jnp.concatenate([-z, r, n], axis=-1)

    inputs, recurrent = params["input"], params["recurrent"]
    arrays = {"w_i": inputs["kernel"], "w_h": recurrent["kernel"], "b": inputs["bias"]}
    return {"gru": {name: converted(array) for name, array in arrays.items()}}


def _elman(params: Params) -> dict[str, Any]:
    inputs = {"w": params["input"]["kernel"], "b": params["input"]["bias"]}
    return {"rnn/input": inputs, "rnn/hidden": {"w": params["recurrent"]["kernel"]}}


def _reordered(array: jax.Array, gates: int, places: tuple[int, ...]) -> jax.Array:
    parts = jnp.split(array, gates, axis=-1)
    return jnp.concatenate([parts[place] for place in places], axis=-1)


_MAPS: dict[type, Any] = {
    rnn_jax.LSTM: (lambda size: hk.LSTM(size, name="lstm"), _lstm),
    rnn_jax.GRUResetBefore: (lambda size: hk.GRU(size, name="gru"), _gru),
    rnn_jax.Elman: (TanhRNN, _elman),
}
