"""PyTorch is measured on the number of threads on which it is faster."""

import time

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.mark.parametrize("faster", ["one", "all"])
def test_the_faster_number_of_threads_is_kept(monkeypatch, faster):
    from benchmarks.peers import torch_threads

    monkeypatch.setattr(torch_threads, "cores", lambda: 2)
    wanted = {"one": 1, "all": 2}[faster]

    def program() -> None:
        time.sleep(0.001 if torch.get_num_threads() == wanted else 0.01)

    before = torch.get_num_threads()
    try:
        assert torch_threads.on_fastest_threads(program) is program and torch.get_num_threads() == wanted
    finally:
        torch.set_num_threads(before)
