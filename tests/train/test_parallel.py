"""Two processes train like one: same numbers within rounding, one run directory, checkpoints that both load."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

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
    "--steps",
    "20",
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


def start(folder, *flags):
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
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "2"},
    )


@pytest.mark.slow
def test_two_processes_train_like_one(tmp_path):
    (tmp_path / "corpus.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 60)
    address = f"localhost:{free_port()}"
    together = [start(tmp_path, tmp_path / "two", "--distributed", f"{address}/{i}/2") for i in range(2)]
    outputs = [process.communicate(timeout=300)[0] for process in together]
    assert [process.returncode for process in together] == [0, 0], outputs
    alone = start(tmp_path, tmp_path / "one")
    output = alone.communicate(timeout=300)[0]
    assert alone.returncode == 0, output

    def records(name):
        lines = (tmp_path / name / "text_generation/run/metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    assert json.loads((tmp_path / "two/text_generation/run/manifest.json").read_text())
    assert len(records("two")) == len(records("one")) == 6
    for two, one in zip(records("two"), records("one"), strict=True):
        for name in one.keys() - {"seconds"}:
            np.testing.assert_allclose(two[name], one[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("address", ["localhost", "localhost/0/2", "localhost:1234/0", "localhost:1234/one/2"])
def test_a_wrong_address_is_refused(address):
    with pytest.raises(ValueError, match=r"distributed=.*HOST:PORT/PROCESS/COUNT"):
        join_processes(address)
