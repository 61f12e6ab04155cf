"""How a program ends that cannot go on: Ctrl-C at any moment and memory that does not suffice are one line."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest

from experiments import cli
from experiments.registry import load_experiment
from tests.experiments.as_user import Commands


@pytest.mark.slow
@pytest.mark.parametrize(
    "seconds", [0.5, 2.5, *(pytest.param(s, marks=pytest.mark.exhaustive) for s in (0.05, 0.2, 1.0))]
)
def test_ctrl_c_ends_in_one_line(tmp_path, seconds):
    command = [sys.executable, "-m", "experiments.memory", "--runs", tmp_path, "--steps", "100000", "--held-out", "64"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True) as process:
        while not _imports(process.pid):
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=400)[1]
    assert process.returncode in (130, -signal.SIGINT) and "Traceback" not in said, said
    assert said.splitlines()[-1].startswith(("interrupted", "stopped and saved")), said


def _imports(pid: int) -> bool:
    """Whether a process has begun with the packages of the project: Python's own start is not ours."""
    return any("numpy" in line or "jaxlib" in line for line in Path(f"/proc/{pid}/maps").read_text().splitlines())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("Unable to allocate 7.28 TiB for an array with shape (10, 10)"), "Unable to allocate 7.28 TiB"),
        (MemoryError(), "of this process"),
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 12 bytes.\nmore"),
            "allocating 12 bytes",
        ),
    ],
)
def test_memory_that_does_not_suffice_is_told_in_one_line(tmp_path, capsys, error, said):
    def prepare(config):
        raise error

    experiment = dataclasses.replace(load_experiment("memory"), prepare=prepare)
    told = Commands(experiment).refused(capsys, "--runs", tmp_path)
    assert told.startswith("error: memory does not suffice") and said in told and "lower batch_size" in told


def test_other_errors_of_jax_keep_their_traceback(tmp_path):
    def prepare(config):
        raise jax.errors.JaxRuntimeError("INTERNAL: a fault of ours")

    experiment = dataclasses.replace(load_experiment("memory"), prepare=prepare)
    with pytest.raises(jax.errors.JaxRuntimeError, match="a fault of ours"):
        cli.main(experiment, ["--runs", str(tmp_path)])
    assert not os.listdir(tmp_path)
