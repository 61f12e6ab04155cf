"""A new application is one folder: the one of CONTRIBUTING.md, word for word, in a folder of a user's own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project with the application of the page, in a package of the user's."""
    folder = tmp_path_factory.mktemp("project")
    blocks = re.findall(r"`experiments/(first_value/\w+\.py)`\n\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    for file, code in blocks:
        path = folder / "my_lab" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code.replace("experiments.first_value", "my_lab.first_value"))
    return folder


@pytest.fixture(scope="module")
def python(folder):
    """Run `python -m WORDS` in the project's folder."""
    paths = os.pathsep.join([str(folder), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": paths, "JAX_NUM_CPU_DEVICES": "1"}

    def run(*words: str, wanted: int = 0, option: str = "-m") -> str:
        command = [sys.executable, option, *words]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == wanted, done.stderr
        return done.stdout + done.stderr

    return run


ONE_AFTER_THE_OTHER = """
import runpy, shlex, sys
for line in sys.argv[1:]:
    sys.argv = shlex.split(line)
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        assert not end.code, line
"""
"""Commands as `python -m` runs them, in one process, whose start takes longer than most of them."""


@pytest.fixture(scope="module")
def trained(folder, python):
    python("my_lab.first_value", "--steps", "100", "--name", "first", "--cell", "elman", "--length", "3")
    return folder / "runs" / "first_value" / "first"


def test_it_trains_resumes_and_is_evaluated(python, trained):
    value = json.loads((trained / "result.json").read_text())["value"]
    assert value < 0.2, "it has learned nothing"
    commands = [f"my_lab.first_value {words}" for words in (f"resume '{trained}'", f"evaluate '{trained}'", "--help")]
    said = python(ONE_AFTER_THE_OTHER, *commands, option="-c")
    assert json.loads((trained / "result.json").read_text())["value"] == value
    assert (
        "has already finished" in said
        and f"\n{value:.4f}\n" in f"\n{said}"
        and "python -m my_lab.first_value train" in said
    )


@pytest.mark.exhaustive
def test_its_runs_are_inspected_and_its_configs_compared(folder, python, trained):
    refused = python("experiments.inspect", str(trained), wanted=1)
    assert "experiment='my_lab.first_value' is asked for by a file" in refused and "--trust" in refused
    assert "gates" in python("experiments.inspect", str(trained), "--trust")
    assert list((trained / "figures").glob("inspect-*.png"))
    small = ["--set", "steps=20", "--set", "evaluate_every=20", "--set", "hidden_size=4"]
    said = python("experiments.ablate", "my_lab.first_value", "--vary", "cell=elman,gru", *small, "--seeds", "2")
    (study,) = (folder / "studies").iterdir()
    assert "python -m experiments.ablate my_lab.first_value --vary cell=elman,gru" in (study / "table.md").read_text()
    assert study.name in said


@pytest.mark.exhaustive
def test_what_is_printed_names_it_by_its_package(python, trained):
    search = ["--search", "learning_rate=log:1e-3:1e-2", "--set", "steps=10", "--set", "evaluate_every=10"]
    said = python("experiments.tune", "my_lab.first_value", *search, "--trials", "2", "--study", "found")
    again = re.search(r"the best, in full: python -m (\S+) --config (\S+)", said)
    assert again[1] == "my_lab.first_value"
    python(again[1], "--config", again[2], "--name", "best")


def test_the_commands_of_the_page_are_those_of_the_application():
    commands = re.findall(r"^python -m (experiments\.\S+)", PAGE, re.MULTILINE)
    assert {name for name in commands if "first_value" in name} == {"experiments.first_value"}
    for name in set(commands) - {"experiments.first_value"}:
        assert (ROOT / (name.replace(".", "/") + ".py")).exists()
