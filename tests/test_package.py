"""The package as a user gets it: what an import brings, and the wheel in an empty environment."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import rnn_jax

ROOT = Path(__file__).parent.parent
DOCUMENTED = (
    "analysis", "data", "decoding", "interop", "losses", "metrics", "models", "nnx", "studies", "testing", "train",
)  # fmt: skip


def test_importing_the_package_needs_jax_alone_and_its_modules_come_when_used():
    program = """
import sys, rnn_jax
assert not {"flax", "optax", "orbax", "matplotlib", "tyro"} & set(sys.modules), "import rnn_jax is not light"
assert rnn_jax.nnx.Recurrent and rnn_jax.testing.assert_cell_contract and rnn_jax.models.LanguageModel
assert rnn_jax.data.CharTokenizer and rnn_jax.train.fit and callable(rnn_jax.unroll)
assert rnn_jax.interop.torch.from_torch and rnn_jax.interop.keras.from_keras and rnn_jax.interop.flax.from_nnx
assert rnn_jax.interop.onnx.to_onnx and rnn_jax.interop.safetensors.save_safetensors
assert not {"torch", "keras", "onnx", "safetensors"} & set(sys.modules), "interop needs these when it is used"
assert "matplotlib" not in sys.modules and "tyro" not in sys.modules, "only experiments need these"
assert "tqdm.auto" not in sys.modules, "it warns in notebooks, and is needed only to download"
import jax
jax.config.update("jax_num_cpu_devices", 2)  # an error where an import has started JAX, as experiments must not find it
try:
    rnn_jax.lstm
except AttributeError as error:
    assert "'lstm'" in str(error)
else:
    raise SystemExit("an unknown attribute was found")
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_each_module_resolves_without_another_import_first():
    program = f"""
import os, rnn_jax
for name in {DOCUMENTED!r}:
    child = os.fork()  # each in a process that has imported nothing more
    if not child:
        os._exit(not (getattr(rnn_jax, name).__doc__ and name in dir(rnn_jax)))
    assert not os.waitpid(child, 0)[1], name
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built as an installer builds it, by the build backend that pyproject.toml names; no network is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    program = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_library_and_nothing_else(wheel):
    assert wheel.name == f"rnn_jax_lab-{rnn_jax.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    wanted = {f.relative_to(ROOT).as_posix() for f in (ROOT / "rnn_jax").rglob("*.py")} | {"rnn_jax/py.typed"}
    assert wanted <= inside
    assert {name.split("/")[0] for name in inside} == {"rnn_jax", f"rnn_jax_lab-{rnn_jax.__version__}.dist-info"}


@pytest.mark.exhaustive
def test_the_wheel_runs_the_readmes_example_in_an_empty_environment(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "empty"], check=True)
    python = tmp_path / "empty" / "bin" / "python"
    constraints = ["-c", ROOT / "requirements.lock"] if sys.version_info[:2] == (3, 11) else []
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *constraints, wheel]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip(f"the package index cannot be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    example = re.findall(r"``python\n(.*?)``", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    subprocess.run([python, "-c", example], cwd=tmp_path, check=True)
    where = subprocess.run([python, "-c", "import rnn_jax; print(rnn_jax.__file__)"], cwd=tmp_path, capture_output=True)
    assert str(tmp_path) in where.stdout.decode()
