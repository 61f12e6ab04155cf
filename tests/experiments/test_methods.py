"""A run says by which methods its cells went, and goes on by the same or not at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnn_jax.unroll.fused import no_compiler

SMALL = (
    "--task adding --length 20 --cell gru --hidden-size 4 --held-out 64 --batch-size 32 --patience 0 "
    "--steps-per-dispatch 5 --evaluate-every 10 --warmup-steps 5 --cpu-devices 1 --name run --steps 10"
).split()


def memory(*words, **environment):
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "1"} | environment
    command = [sys.executable, "-m", "experiments.memory", *map(str, words)]
    root = Path(__file__).parents[2]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)


@pytest.mark.exhaustive
@pytest.mark.skipif(bool(no_compiler()), reason=no_compiler())
def test_a_run_by_fused_loops_goes_on_by_fused_loops(tmp_path):
    assert memory("--runs", tmp_path, *SMALL).returncode == 0
    run = tmp_path / "memory/run"
    (begun,) = json.loads((run / "manifest.json").read_text())["starts"]
    assert begun["methods"] == ["GRU 2 to 4, T=20, B=(32,): fused"]
    assert begun["fused"].keys() == {"compiler", "version", "flags", "features"}

    refused = memory("resume", run, "--steps", 20, RNN_JAX_FUSED="off")
    assert refused.returncode == 1 and "fused loops: by " in refused.stderr and "then, none now" in refused.stderr
    assert memory("resume", run, "--steps", 20).returncode == 0

    assert memory("--runs", tmp_path, *SMALL, "--method", "sequential", "--overwrite").returncode == 0
    (begun,) = json.loads((run / "manifest.json").read_text())["starts"]
    assert begun["methods"] == ["GRU 2 to 4, T=20, B=(32,): sequential"] and begun["fused"] is None
    assert memory("resume", run, "--steps", 20, RNN_JAX_FUSED="off").returncode == 0


@pytest.mark.exhaustive
def test_a_run_of_before_there_was_a_choice_goes_on_step_by_step(tmp_path):
    assert memory("--runs", tmp_path, *SMALL, "--method", "sequential").returncode == 0
    run = tmp_path / "memory/run"
    for file in ("config.json", "manifest.json"):
        stored = json.loads((run / file).read_text())
        for fields in (stored, *stored.get("configs", [])):
            fields.pop("method", None)
        (run / file).write_text(json.dumps(stored))
    said = memory("resume", run, "--steps", 20)
    assert said.returncode == 0, said.stderr
    assert json.loads((run / "config.json").read_text())["method"] == "sequential"
