"""Readers of frames: which frames a vector is of, and that what is seen is the same wherever it is."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.video.readers import make_reader

FRAMES = np.zeros((5, 1, 24, 24), np.float32)
FRAMES[:, 0, 8:12, 8:12] = np.random.default_rng(0).random((4, 4))
"""Far enough from the border that all that convolutions see of it is inside."""


def test_a_fine_reader_looks_at_some_frames_and_sees_where_all_are():
    reader = make_reader("fine", 3)(8, nnx.Rngs(0))
    read = nnx.jit(reader)
    vectors = read(FRAMES)
    assert vectors.shape == (5, 1, 8)
    for t in range(5):
        changed = FRAMES.copy()
        changed[t] = np.roll(changed[t], 2, axis=-1)
        of = np.flatnonzero(np.abs(read(changed) - vectors).max(axis=(1, 2)) > 1e-5)
        assert of.tolist() == [t], "what has moved is the same to the frames that do not look themselves"
        changed[t] = 1 - FRAMES[t]
        of = np.flatnonzero(np.abs(read(changed) - vectors).max(axis=(1, 2)) > 1e-5)
        assert of.tolist() == ([t, t + 1, t + 2][: 5 - t] if t % 3 == 0 else [t])


@pytest.mark.parametrize("reader", ["fine", "coarse"])
def test_what_is_seen_is_the_same_wherever_it_is(reader):
    made = make_reader(reader, 1)(8, nnx.Rngs(0))
    made.where.kernel[...] = jnp.zeros_like(made.where.kernel[...])
    read = nnx.jit(made)
    vectors = read(FRAMES)
    assert np.abs(vectors).max() > 1e-3
    np.testing.assert_allclose(read(np.roll(FRAMES, (4, 4), axis=(2, 3))), vectors, rtol=1e-5, atol=1e-6)
    assert np.abs(read(FRAMES[:, :, ::-1]) - vectors).max() > 1e-3
