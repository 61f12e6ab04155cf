"""A directory of a run is data: nothing is imported because a file names it, unless --trust says so."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.ablate import ablate
from experiments.cli import run_command
from experiments.inspect import inspect
from experiments.registry import load_experiment
from rnn_jax import LSTM, make_cell
from rnn_jax.checks import consenting_to
from rnn_jax.train import load_run
from tests.experiments.as_user import Commands

CELL = "their_cells:Theirs"


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """An application beside a module that notes that it was imported."""
    code = (
        f"import pathlib, rnn_jax\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\nclass Theirs(rnn_jax.LSTM): pass\n"
    )
    (tmp_path / "their_cells.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Commands(load_experiment("gradient_flow"))
    sys.modules.pop("their_cells", None)


@pytest.fixture
def run(commands, tmp_path):
    """A run that has been received: its cell is in a module."""
    small = "--hidden-size 4 --length 8 --steps 2 --evaluate-every 2 --steps-per-dispatch 2 --batch-size 4"
    assert commands("train", "--cell", CELL, *small.split(), "--cpu-devices", 1, "--name", "own") == 0, (
        "what is on the command line is consented to"
    )
    sys.modules.pop("their_cells")
    (tmp_path / "ran").unlink()
    return tmp_path / "runs" / "gradient_flow" / "own"


@pytest.mark.exhaustive
def test_no_command_imports_what_a_run_names(commands, run, tmp_path, capsys):
    sets = tmp_path / "sets.json"
    sets.write_text(json.dumps({"theirs": {"cell": CELL}}))
    for words in (
        ["resume", run],
        ["evaluate", run],
        ["draw", run],
        ["train", "--config", run / "config.json", "--name", "new"],
    ):
        said = commands.refused(capsys, *words)
        assert f"cell='{CELL}' is asked for by a file, and would import their_cells" in said and "--trust" in said
        assert not (tmp_path / "ran").exists() and not run.with_name("new").exists()
    for command, words in ((inspect, [str(run)]), (ablate, ["gradient_flow", "--sets", str(sets)])):
        with pytest.raises(SystemExit) as stopped:
            run_command(command, words)
        assert stopped.value.code == 1 and "--trust" in capsys.readouterr().err and not (tmp_path / "ran").exists()
    assert commands("evaluate", run, "--trust") == 0 and (tmp_path / "ran").exists()


@pytest.mark.exhaustive
def test_a_run_does_not_say_which_application_is_imported(run, tmp_path, capsys):
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["starts"][-1]["module"] = "their_cells"
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SystemExit) as stopped:
        run_command(inspect, [str(run)])
    assert stopped.value.code == 1 and not (tmp_path / "ran").exists()
    assert "experiment='their_cells' is asked for by a file" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_what_a_run_says_to_type_next_has_the_flag_that_it_needs(commands, tmp_path, capsys):
    small = "--hidden-size 4 --length 8 --steps 2 --evaluate-every 2 --steps-per-dispatch 2 --batch-size 4".split()
    assert commands("train", "--cell", CELL, *small, "--cpu-devices", 1, "--runs", tmp_path / "my runs") == 0
    (told,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("apply it: "))
    (path,) = (tmp_path / "my runs" / "gradient_flow").iterdir()
    words = ["python", "-m", "experiments.gradient_flow", "predict", str(path), "FILE", "--trust"]
    assert shlex.split(told.removeprefix("apply it: ")) == words
    assert commands("resume", path, "--trust") == 0
    assert f"resume '{path}' --steps 4 --trust" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_who_names_it_again_consents(commands, run, tmp_path):
    assert commands("train", "--config", run / "config.json", "--cell", CELL, "--name", "new") == 0
    assert (tmp_path / "ran").exists()


def test_what_is_written_in_python_needs_no_flag(commands):
    assert isinstance(make_cell(f"{CELL}", 2, 3), LSTM)


@pytest.mark.exhaustive
def test_python_that_loads_a_run_imports_nothing_either(run, tmp_path):
    with pytest.raises(ValueError, match="asked for by a file, and would import their_cells"):
        load_experiment("gradient_flow").load(run)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ValueError, match="asked for by a file, and would import their_cells"):
        load_run(run)
    assert not (tmp_path / "ran").exists()
    with consenting_to(None):
        load_experiment("gradient_flow").load(run)
    assert (tmp_path / "ran").exists()


@pytest.mark.exhaustive
def test_a_run_that_is_loaded_does_not_say_which_module_is_imported(run, tmp_path):
    manifest = json.loads((run / "manifest.json").read_text())
    for module, said in (("their_cells", "asked for by a file"), ("experiments.no_such", "cannot be imported here")):
        manifest["starts"][-1]["module"] = module
        (run / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(ValueError, match=said):
            load_run(run)
    assert not (tmp_path / "ran").exists()
    manifest["starts"][-1]["module"] = "their_cells"
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="which has no EXPERIMENT"):
        load_run(run, trust=True)
    assert (tmp_path / "ran").exists()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_only_the_experiments_beside_the_library_are_trusted_as_it_is(run, tmp_path):
    config = json.loads((run / "config.json").read_text())
    (theirs := tmp_path / "theirs" / "experiments").mkdir(parents=True)
    (theirs / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    program = f"""
import sys, rnn_jax
ours = sys.path.pop(sys.path.index({str(Path(__file__).parents[2])!r}))
sys.path.insert(0, {str(theirs.parent)!r})
try:
    rnn_jax.load_run({str(run)!r})
except ValueError as error:
    assert "'experiments.gradient_flow' is asked for by a file" in str(error), error
else:
    raise SystemExit("it was imported")
sys.path[0] = ours
assert "experiments" not in sys.modules and "optax" in sys.modules
trained = rnn_jax.load_run({str(run)!r}, trust=True)
assert trained.config.fit.steps == {config["steps"]} and trained.model is not None
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, env=environment)
