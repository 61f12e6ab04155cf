"""The libraries that rnn_jax is measured against, one file each, and rnn_jax itself.

Every file has `build(cell, params)`, which gives that library's network for a cell of rnn_jax with the same weights, or
raises `Unavailable` with the reason. `base.py` says what a network can do.
"""

import importlib

from benchmarks.peers import ours
from benchmarks.peers.base import JaxPeer, Peer, Unavailable
from rnn_jax import Cell
from rnn_jax.typing import Params

METHODS = {"rnn_jax": "auto", "sequential": "sequential", "fused": "fused"}
PEERS = (*METHODS, "split", "flax", "haiku", "equinox", "keras", "torch", "cudnn")


def build(name: str, cell: Cell, params: Params) -> Peer:
    """The network of one of `PEERS`.

    "rnn_jax" is `unroll` as a user calls it, "sequential" and "fused" are it by these methods, "split" is it with the
    rows of a batch split over all devices.

    Raises:
        Unavailable: the library is not installed, lacks the cell, or needs another device.
    """
    if name in METHODS:
        return ours.build(cell, params, METHODS[name])
    try:
        return importlib.import_module(f"benchmarks.peers.{name}").build(cell, params)
    except ModuleNotFoundError as error:
        raise Unavailable(f'{error.name} is not installed; pip install -c requirements.lock -e ".[peers]"') from None


__all__ = ["METHODS", "PEERS", "JaxPeer", "Peer", "Unavailable", "build"]
