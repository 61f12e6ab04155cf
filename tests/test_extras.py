"""A package of an extra that is not installed: one line that says how it is, wherever it is imported."""

import ast
import dataclasses
import functools
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments.registry import load_experiment
from rnn_jax import GRU, extras, metrics
from rnn_jax.data import Subwords
from rnn_jax.extras import EXTRAS, MissingExtra, explained, install, optional_imports
from rnn_jax.interop.stablehlo import save_step
from rnn_jax.models.distributions import StudentT
from rnn_jax.studies.statistics import iqm
from tests.experiments.as_user import Commands
from tests.test_floors import DISTRIBUTIONS, SOURCES

ROOT = Path(__file__).parents[1]
CELL = GRU(2, 3)
STEP, X = functools.partial(CELL, CELL.init(jax.random.key(0))), jax.ShapeDtypeStruct((2,), "float32")


def test_each_package_of_an_extra_is_known_by_the_name_that_it_is_imported_by():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra in ("experiments", "export", "interop", "fused"):
        packages = {one.split(">")[0].split("[")[0] for one in declared[extra]}
        assert {DISTRIBUTIONS.get(name, name) for name, of in EXTRAS.items() if of == extra} == packages


def inside(tree: ast.AST) -> list[ast.AST]:
    """What stands in a with statement that tells what is missing, or is for type checkers alone."""
    ways = ("optional_imports()", "TYPE_CHECKING")
    heads = [(node, ast.unparse(node.items[0]) if isinstance(node, ast.With) else ast.unparse(node.test))
             for node in ast.walk(tree) if isinstance(node, ast.With | ast.If)]  # fmt: skip
    return [one for node, head in heads if head in ways for one in ast.walk(node)]


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("rnn_jax")])
def test_the_library_imports_them_where_it_is_told_what_is_missing(name):
    told = inside(SOURCES[name])
    for node in ast.walk(SOURCES[name]):
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in told:
            module = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
            assert module.partition(".")[0] not in EXTRAS.keys() - DRAWING, f"line {node.lineno} imports {module}"


DRAWING = {"matplotlib"}
"""Whatever draws begins with `draws`, which says it."""


@pytest.mark.parametrize("package", EXTRAS)
def test_the_extra_of_each_is_told(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra) as caught, optional_imports():
        importlib.import_module(package)
    assert str(caught.value) == f"{package} is not installed: {install(EXTRAS[package])}" == explained(caught.value)
    assert f"[{EXTRAS[package]}]" in str(caught.value) and caught.value.name == package


@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("jiwer", lambda path: metrics.word_error_rate([["a"]], [["b"]])),
        ("scipy", lambda path: StudentT(np.zeros(1), np.ones(1), np.ones(1)).quantiles([0.5])),
        ("scipy", lambda path: iqm([1.0, 2.0])),
        ("tokenizers", lambda path: Subwords.fit(["a b"], 10)),
        ("flatbuffers", lambda path: save_step(path, STEP, CELL.initial_carry, X)),
    ],
)
def test_in_python_too(package, use, monkeypatch, tmp_path, shapes_unchecked):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.stats", raising=False)
    with pytest.raises(MissingExtra, match=f"{package} is not installed: pip install"):
        use(tmp_path / "file")


def test_what_is_missing_otherwise_is_said_as_ever(monkeypatch):
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such'") as caught, optional_imports():
        importlib.import_module("no_such")
    assert explained(caught.value) == ""


def test_the_command_fits_the_place(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert install("export") == 'pip install -c requirements.lock -e ".[export]"'
    monkeypatch.chdir(tmp_path)
    assert install("export") == f'pip install -c {ROOT}/requirements.lock -e "{ROOT}[export]"'
    monkeypatch.setattr(extras, "CHECKOUT", tmp_path)
    assert install("export") == 'pip install "rnn-jax-lab[export]"'


def test_a_command_ends_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)

    def prepare(config):
        importlib.import_module("PIL")

    experiment = dataclasses.replace(load_experiment("memory"), prepare=prepare)
    said = Commands(experiment).refused(capsys, "--runs", tmp_path)
    assert said.startswith("error: PIL is not installed: pip install")


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "module"), [("tyro", "text_generation"), pytest.param("optuna", "tune", marks=pytest.mark.exhaustive)]
)
def test_a_program_that_cannot_begin_says_so_in_one_line(package, module):
    run = f"runpy.run_module('experiments.{module}', None, '__main__')"
    program = f"import runpy, sys; sys.modules[{package!r}] = None; {run}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f'error: {package} is not installed: pip install -c requirements.lock -e ".[experiments]"\n'
