"""rnn_jax with the rows of a batch split over all devices of one mesh, as `rnn_jax.train.fit` splits them.

On a CPU the devices are its cores: XLA runs the small products of a loop on one core each, so that two halves of a
batch keep two cores busy where one whole does not.
"""

import dataclasses
from typing import Any

import jax

import rnn_jax
from benchmarks.peers import ours
from benchmarks.peers.base import JaxPeer, Unavailable
from benchmarks.timing import Program
from rnn_jax.train.parallel import batch_sharding, data_mesh, place
from rnn_jax.typing import Params


def build(cell: rnn_jax.Cell, params: Params) -> JaxPeer:
    mesh = data_mesh()
    if mesh.size == 1:
        raise Unavailable("there is one device only")
    fields = {
        field.name: getattr(peer := ours.build(cell, params), field.name) for field in dataclasses.fields(JaxPeer)
    }
    weights = jax.tree.map(lambda leaf: place(leaf, batch_sharding(mesh, None)), peer.weights)
    return SplitPeer(**fields | {"weights": weights, "devices": mesh.size})


class SplitPeer(JaxPeer):
    """A network whose inputs and targets are split by rows."""

    def results(self, xs: jax.Array, targets: jax.Array) -> dict[str, Any]:
        return super().results(_split(xs), _split(targets))

    def forward(self, xs: jax.Array) -> Program:
        return super().forward(_split(xs))

    def training(self, xs: jax.Array, targets: jax.Array, single: bool) -> Program:
        return super().training(_split(xs), _split(targets), single)


def _split(a: jax.Array) -> jax.Array:
    """Arrays `[..., B, F]` with B split."""
    return place(a, batch_sharding(data_mesh(), a.ndim - 2))
