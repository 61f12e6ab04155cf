"""rnn_jax: `unroll` with its own choice of method."""

import rnn_jax
from benchmarks.peers.base import JaxPeer
from rnn_jax.typing import Params


def build(cell: rnn_jax.Cell, params: Params) -> JaxPeer:
    return JaxPeer(
        cell=cell,
        params=params,
        weights=params,
        pull=lambda gradients: gradients,
        apply=lambda params, xs: rnn_jax.unroll(cell, params, xs).ys,
        step=cell,
        start=cell.initial_carry((1,)),
    )
