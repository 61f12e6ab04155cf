"""What the README says is done as it says: its code runs, its commands exist, its table is the one of the results."""

import re
import subprocess
from pathlib import Path

import jax
import pytest

from experiments import report

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"``{language}\n(.*?)``", README, re.DOTALL)


def test_the_example_runs():
    (code,) = blocks("python")
    names = {}
    with jax.numpy_dtype_promotion("standard"):
        exec(compile(code, "README.md", "exec"), names)
    assert names["y"].shape == (16,) and jax.tree.structure(names["gradients"]) == jax.tree.structure(names["params"])


def test_the_two_commands_are_targets_that_install_and_run():
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE):
        dry = subprocess.run(
            ["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert "-m venv" in dry and "pip install" in dry
        assert {"train": "experiments.text_generation", "test": "pytest"}[target] in dry


@pytest.mark.parametrize("line", re.findall(r"^python -m experiments\.\S+.*$", "\n".join(blocks("sh")), re.MULTILINE))
def test_the_options_it_names_exist(line, capsys):
    from experiments.cli import run_commands
    from experiments.text_generation import train

    options = re.findall(r"--[a-z-]+", line.partition("#")[0])
    with pytest.raises(SystemExit):
        run_commands({"train": train}, "train", ["--help"])
    said = capsys.readouterr().out
    assert all(option in said for option in options)


def test_the_files_it_names_exist():
    for path in re.findall(r"`((?:rnn_jax|experiments|benchmarks|tests)/[\w./]*)`", README):
        assert (ROOT / path).exists(), path


def test_the_results_table_is_drawn_from_the_result_files():
    assert report.table(check=True) == 0, "run `python -m experiments.report table`"
