"""The page about NNX does what it says: its model learns, its stream goes on."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

import rnn_jax.nnx

PAGE = (Path(rnn_jax.nnx.__file__).parent / "README.md").read_text()
TRAINING, STREAMING = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def names():
    names = {}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(compile(TRAINING, "README.md", "exec"), names)
        exec(compile(STREAMING, "README.md", "exec"), names)
    return names


def test_the_model_of_the_page_learns(names):
    assert names["losses"][0] > 0.5 and names["held_out"] < 0.25
    model, (xs, _) = names["model"], names["sample"](jax.random.key(3))
    np.testing.assert_array_equal(model(xs), model(xs))
    model.train()
    assert np.any(model(xs) != model(xs))


def test_the_stream_of_the_page_goes_on(names):
    live = rnn_jax.nnx.RNN(rnn_jax.GRU(3, 8), rngs=names["nnx"].Rngs(0))
    whole = live(np.ones((2, 10, 3), np.float32))
    pieces = np.concatenate([names["first"], names["second"], names["y"][:, None]], axis=1)
    np.testing.assert_allclose(pieces, whole, rtol=1e-5, atol=1e-6)
    carry = names["live"].current_carry()
    assert not carry[0].any() and carry[1].any()
