"""rnn_jax: `unroll` with its own choice of method, or by one."""

import jax

import rnn_jax
from benchmarks.peers.base import JaxPeer, Unavailable
from rnn_jax.typing import Params
from rnn_jax.unroll import methods_of


def build(cell: rnn_jax.Cell, params: Params, method: str = "auto") -> JaxPeer:
    if method == "fused" and jax.default_backend() != "cpu":
        raise Unavailable("it is for a CPU")
    if method not in ("auto", *methods_of(cell)):
        raise Unavailable(f"{type(cell).__name__} cannot go by it here: {rnn_jax.fused_report(cell).splitlines()[0]}")
    return JaxPeer(
        cell=cell,
        params=params,
        weights=params,
        pull=lambda gradients: gradients,
        apply=lambda params, xs: rnn_jax.unroll(cell, params, xs, method=method).ys,
        step=cell,
        start=cell.initial_carry((1,)),
    )
