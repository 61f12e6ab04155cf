"""What the README says is done as it says: its code runs, its commands exist, its table is the one of the results."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import rnn_jax
from experiments import report
from experiments.cli import main, run_commands
from experiments.registry import experiment_names, load_experiment

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"``{language}\n(.*?)``", README, re.DOTALL)


def test_the_example_runs():
    code, _ = blocks("python")
    names = {}
    with jax.numpy_dtype_promotion("standard"):
        exec(compile(code, "README.md", "exec"), names)
    assert names["y"].shape == (16,) and jax.tree.structure(names["gradients"]) == jax.tree.structure(names["params"])


@pytest.fixture
def my_cells(tmp_path, monkeypatch):
    """The README's cell as the user's own module, in the folder where the user is."""
    (tmp_path / "my_cells.py").write_text(blocks("python")[1])
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("my_cells", None)


def test_the_users_own_cell_goes_wherever_a_cell_goes(my_cells):
    leaky = rnn_jax.make_cell("my_cells:Leaky", 3, 4, leak=0.25)
    stack = rnn_jax.Stack([leaky, rnn_jax.Bidirectional(rnn_jax.make_cell("my_cells:Leaky", 4, 4))])
    xs, lengths = jax.random.normal(jax.random.key(0), (5, 2, 3)), jnp.array([5, 2])
    recurrent = rnn_jax.nnx.Recurrent(stack, rngs=nnx.Rngs(0))
    _, ys = rnn_jax.unroll(stack, recurrent.pure_params(), xs, lengths=lengths)
    assert jnp.array_equal(recurrent(xs, lengths=lengths).ys, ys) and not ys[2:, 1].any()


def test_every_experiment_takes_the_users_own_cell(my_cells, tmp_path):
    (tmp_path / "text.txt").write_text("to be or not to be " * 200)
    small = "--hidden-size 8 --steps 4 --evaluate-every 4 --steps-per-dispatch 2 --batch-size 4 --length 16"
    with jax.numpy_dtype_promotion("standard"), pytest.raises(SystemExit) as stopped:
        arguments = ["--corpus", "text.txt", "--cell", "my_cells:Leaky", "--name", "own", *small.split()]
        main(load_experiment("text_generation"), arguments)
    assert stopped.value.code == 0
    run = tmp_path / "runs/text_generation/own"
    assert json.loads((run / "result.json").read_text())["model"].startswith("my_cells:Leaky")
    (start,) = json.loads((run / "manifest.json").read_text())["starts"]
    assert start["modules"]["my_cells"]["source"] == (tmp_path / "my_cells.py").read_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_cells:Leeky", "no attribute 'Leeky'"),
        ("no_cells:Leaky", "No module named 'no_cells'.*expected module:Class"),
        ("my_cells:jnp", "expected a subclass of rnn_jax.Cell"),
    ],
)
def test_a_cell_that_is_not_there_is_named(my_cells, name, message):
    with pytest.raises(ValueError, match=message):
        rnn_jax.make_cell(name, 3, 4)


def test_the_two_commands_are_targets_that_install_and_run():
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE):
        dry = subprocess.run(
            ["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert "-m venv" in dry and "pip install" in dry
        assert {"train": "experiments.text_generation", "test": "pytest"}[target] in dry


@pytest.mark.parametrize("line", re.findall(r"^python -m experiments\.\S+.*$", "\n".join(blocks("sh")), re.MULTILINE))
def test_the_options_it_names_exist(line, capsys):
    name, *options = re.findall(r"(?<=-m experiments\.)\w+|--[a-z-]+", line.partition("#")[0])
    with pytest.raises(SystemExit):
        if name in experiment_names():
            main(load_experiment(name), ["--help"])
        command = getattr(importlib.import_module(f"experiments.{name}"), name)
        run_commands({"command": command}, "command", ["--help"])
    said = capsys.readouterr().out
    assert all(option in said for option in options)


def test_the_files_it_names_exist():
    for path in re.findall(r"`((?:rnn_jax|experiments|benchmarks|tests)/[\w./]*)`", README):
        assert (ROOT / path).exists(), path


def test_the_results_table_is_drawn_from_the_result_files():
    assert report.table(check=True) == 0, "run `python -m experiments.report table`"
