"""Principal components of states that lie in a plane."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.analysis.states import draw_states, principal_components, state_vectors
from rnn_jax.analysis.tracing import trace


def test_a_plane_in_space_is_found(tmp_path):
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(30, 4, 2)) * [3.0, 1.0]
    flat -= flat.mean(axis=(0, 1))
    directions = np.linalg.qr(rng.normal(size=(5, 5)))[0][:2]
    found = principal_components(flat @ directions + 7.0)
    np.testing.assert_allclose(found.shares.sum(), 1)
    values = np.linalg.eigvalsh(np.cov(flat.reshape(-1, 2).T))[::-1]
    np.testing.assert_allclose(found.shares, values / values.sum())
    distances = np.linalg.norm(flat[:, :1] - flat[:1], axis=-1)
    np.testing.assert_allclose(np.linalg.norm(found.points[:, :1] - found.points[:1], axis=-1), distances)
    draw_states(found, np.zeros((30, 4)), tmp_path / "states.png", "title", "step")
    assert (tmp_path / "states.png").stat().st_size > 5_000


def test_states_of_a_cell_and_mistakes():
    cell = rnn_jax.LSTM(2, 3)
    _, (one,) = trace(cell, cell.init(jax.random.key(0)), jnp.ones((4, 2, 2)))
    states = state_vectors(one)
    np.testing.assert_array_equal(states, np.concatenate(one.carries, axis=-1))
    assert principal_components(np.ones((3, 2)))[1].tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"count=7: expected 1 to 6, for states \[4, 2, 6\]"):
        principal_components(states, 7)
