import re
from pathlib import Path

import jax
import numpy as np
import pytest

import rnn_jax
from tests.interop import parity

PAGE = (Path(rnn_jax.__file__).parent / "interop" / "README.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.skipif(not parity.installed("torch"), reason="PyTorch is not installed")
def test_the_example_runs():
    import torch

    names = {}
    exec(compile(CODE[0], "README.md", "exec"), names)
    wanted, (hidden, _) = names["module"](torch.ones(32, 10, 8))
    np.testing.assert_allclose(names["ys"], wanted.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(jax.tree.leaves(names["carry"])[0], hidden[0].detach().numpy(), atol=1e-6)


def run_in(folder, monkeypatch, code):
    monkeypatch.chdir(folder)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


@pytest.mark.exhaustive
@pytest.mark.skipif(not parity.installed("onnx"), reason="onnx is not installed")
def test_the_example_of_onnx_runs(tmp_path, monkeypatch, record_property):
    names = run_in(tmp_path, monkeypatch, CODE[1])
    parity.assert_equal((names["same_cell"], names["same_params"]), (names["cell"], names["params"]))
    if not parity.installed("onnxruntime"):
        record_property("note", "onnxruntime is not installed: the example that runs an ONNX file is not run")
        return
    found = run_in(tmp_path, monkeypatch, CODE[2])
    wanted = rnn_jax.unroll(names["cell"], names["params"], np.ones((10, 32, 8), "float32"))
    parity.assert_close([found["ys"], *found["carry"]], [wanted.ys, *jax.tree.leaves(wanted.carry)], 1e-5)


@pytest.mark.skipif(not parity.installed("safetensors"), reason="safetensors is not installed")
def test_the_example_of_safetensors_runs(tmp_path, monkeypatch):
    names = run_in(tmp_path, monkeypatch, CODE[3])
    parity.assert_equal((names["same_cell"], names["same_params"]), (names["cell"], names["params"]))


def test_the_functions_it_names_exist():
    libraries = [getattr(rnn_jax.interop, name) for name in ("torch", "keras", "flax", "onnx")]
    for name in re.findall(r"`((?:from|to|params|weights|state_dict)_\w+)", PAGE):
        assert any(hasattr(library, name) for library in libraries), name
