import re
from pathlib import Path

import jax
import numpy as np
import pytest

import rnn_jax
from tests.interop import parity

PAGE = (Path(rnn_jax.__file__).parent / "interop" / "README.md").read_text()


@pytest.mark.skipif(not parity.installed("torch"), reason="PyTorch is not installed")
def test_the_example_runs():
    import torch

    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    wanted, (hidden, _) = names["module"](torch.ones(32, 10, 8))
    np.testing.assert_allclose(names["ys"], wanted.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(jax.tree.leaves(names["carry"])[0], hidden[0].detach().numpy(), atol=1e-6)


def test_the_functions_it_names_exist():
    libraries = [getattr(rnn_jax.interop, name) for name in ("torch", "keras", "flax")]
    for name in re.findall(r"`((?:from|to|params|weights|state_dict)_\w+)", PAGE):
        assert any(hasattr(library, name) for library in libraries), name
