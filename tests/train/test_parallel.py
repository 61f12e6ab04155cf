"""Two processes train like one: same numbers within rounding, one run directory, checkpoints that both load."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from rnn_jax.train import parallel
from rnn_jax.train.parallel import join_processes

TRAIN = [
    "--cell",
    "gru",
    "--hidden-size",
    "8",
    "--embedding-size",
    "4",
    "--batch-size",
    "8",
    "--length",
    "8",
    "--steps-per-dispatch",
    "5",
    "--evaluate-every",
    "10",
    "--name",
    "run",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def start(folder, *flags, steps=20, devices=2):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "experiments.text_generation",
            "--corpus",
            folder / "corpus.txt",
            "--runs",
            *flags,
            *TRAIN,
            "--steps",
            str(steps),
            "--patience",
            "0",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)},
    )


@pytest.mark.exhaustive
@pytest.mark.slow
def test_two_processes_train_like_one(tmp_path):
    (tmp_path / "corpus.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 60)
    address = f"localhost:{free_port()}"
    together = [start(tmp_path, tmp_path / "two", "--distributed", f"{address}/{i}/2") for i in range(2)]
    outputs = [process.communicate()[0] for process in together]
    assert [process.returncode for process in together] == [0, 0], outputs
    alone = start(tmp_path, tmp_path / "one")
    output = alone.communicate()[0]
    assert alone.returncode == 0, output

    def records(name):
        lines = (tmp_path / name / "text_generation/run/metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    assert json.loads((tmp_path / "two/text_generation/run/manifest.json").read_text())
    assert len(records("two")) == len(records("one")) == 6
    for two, one in zip(records("two"), records("one"), strict=True):
        for name in one.keys() - {"seconds"}:
            np.testing.assert_allclose(two[name], one[name], rtol=1e-5, err_msg=name)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_processes_that_were_begun_differently_are_refused_before_anything_is_written(tmp_path):
    (tmp_path / "corpus.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 60)
    address = f"localhost:{free_port()}"
    rates = ("0.01", "0.1")
    together = [
        start(tmp_path, tmp_path / "two", "--distributed", f"{address}/{i}/2", "--learning-rate", rate)
        for i, rate in enumerate(rates)
    ]
    for process, rate in zip(together, rates, strict=True):
        said = process.communicate()[0]
        assert process.returncode == 1 and f"the processes differ in learning_rate={rate} (here)" in said, said
    assert not (tmp_path / "two" / "text_generation").exists()


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(("dead", "devices"), [(0, 1), (1, 2)])
def test_when_one_process_dies_the_other_ends_soon(tmp_path, dead, devices):
    """JAX itself ends it, unless what is computed fails before."""
    (tmp_path / "corpus.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 60)
    address, metrics = f"localhost:{free_port()}", tmp_path / "two/text_generation/run/metrics.jsonl"
    both = [
        start(tmp_path, tmp_path / "two", "--distributed", f"{address}/{i}/2", steps=1_000_000, devices=devices)
        for i in range(2)
    ]
    try:
        while not (metrics.exists() and metrics.read_text().count("\n") > 3):
            assert [process.poll() for process in both] == [None, None], both[0].communicate()
            time.sleep(0.1)
        begun = time.monotonic()
        both[dead].send_signal(signal.SIGKILL)
        both[1 - dead].communicate(timeout=90)
        assert time.monotonic() - begun < 90
    finally:
        for process in both:
            process.kill()
            process.communicate()
    assert both[1 - dead].returncode != 0


def test_what_fails_because_another_process_is_gone_is_told_in_one_line(monkeypatch, capsys):
    noted, ended = [], []
    monkeypatch.setattr(parallel.jax, "process_count", lambda: 2)
    monkeypatch.setattr(parallel.os, "_exit", ended.append)
    with parallel.ending_with_others(noted.append, "start again"):
        raise ValueError("UNKNOWN: Gloo AllGather failed: pair.cc:547] Connection closed by peer [127.0.0.1]:32475")
    said = "another process of this run has ended or cannot be reached"
    assert noted == [said] and ended == [1] and capsys.readouterr().err == f"error: {said}; start again\n"
    with pytest.raises(ValueError, match="of its own"), parallel.ending_with_others(noted.append, ""):
        raise ValueError("a mistake of its own")


@pytest.mark.parametrize(
    "address", ["localhost", "localhost/0/2", "localhost:1234/0", "localhost:1234/one/2", "localhost:1234/2/2"]
)
def test_a_wrong_address_is_refused(address):
    with pytest.raises(ValueError, match=r"distributed=.*HOST:PORT/PROCESS/COUNT"):
        join_processes(address)
