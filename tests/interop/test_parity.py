"""Outputs, final states and all gradients of PyTorch's and Keras's layers and of the cells that they become."""

import pytest

from tests.interop import parity, peer_keras, peer_torch

PEERS = {"PyTorch": peer_torch, "Keras": peer_keras}
every_case = pytest.mark.parametrize(
    ("name", "case"), [pytest.param(name, case, id=str(case)) for name, peer in PEERS.items() for case in peer.CASES]
)


@pytest.mark.exhaustive(but=2)
@every_case
def test_a_layer_and_its_cell_agree(name, case, precision, record_property):
    dtype, tolerance = precision
    peer = PEERS[name]
    drawn = parity.draw(case, peer, dtype)
    found = parity.run_here(case, peer, drawn)
    golden = parity.load_golden(case, found)
    if parity.installed(case.peer):
        parity.assert_close(found, peer.run(case, drawn), tolerance)
    else:
        record_property("note", f"{name} is not installed: parity is checked against golden arrays")
    parity.assert_close(found, golden, tolerance)


@pytest.mark.exhaustive(but=4)
@every_case
def test_params_go_there_and_back(name, case):
    peer = PEERS[name]
    cell = peer.expected_cell(case)
    params = parity.random_params(cell)
    parity.assert_equal(peer.read(cell, peer.write(cell, params)), params)
