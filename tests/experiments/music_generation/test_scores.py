"""Scores of music: that only the past counts, which steps do, and pieces in words."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.music_generation.data import prepend_silence
from experiments.music_generation.midi import PITCHES
from experiments.music_generation.scores import examples_text, make_step_nll, mean_nll
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.nnx import functional


def nats_of(p: np.ndarray, bits: np.ndarray) -> np.ndarray:
    return -np.where(bits > 0, np.log(p), np.log(1 - p)).sum(-1)


@pytest.mark.exhaustive(but=1)
def test_every_step_is_scored_from_those_before_it(model, rolls):
    params, rebuild = functional(model)
    score = jax.jit(lambda rolls, t: jax.nn.sigmoid(rebuild(params)(rolls, jnp.array([12]))[t, 0]))
    for k, nats in enumerate(make_step_nll(rebuild, rolls, batch_size=2, buckets=2)(params)):
        for t in range(len(rolls[k])):
            future_unknown = np.ones((13, 1, PITCHES), np.uint8)
            future_unknown[: t + 2, 0] = prepend_silence(rolls[k])[: t + 2]
            p = np.asarray(score(future_unknown, t), np.float64)
            np.testing.assert_allclose(nats[t], nats_of(p, rolls[k][t]), rtol=2e-4)


def test_bits_are_scored_apart_and_what_does_not_count_has_no_gradient():
    rng = np.random.default_rng(0)
    logits, bits = rng.normal(size=(4, 3, 7)).astype(np.float32), rng.integers(0, 2, (4, 3, 7))
    weights = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]], np.float32)
    nats, count = binary_cross_entropy(logits, bits, weights)
    expected = (nats_of(1 / (1 + np.exp(-logits.astype(np.float64))), bits) * weights).sum()
    np.testing.assert_allclose(nats, expected, rtol=1e-6)
    assert count == 6 and binary_cross_entropy(logits, bits)[1] == 12
    broken = np.where(weights[..., None] > 0, logits, np.nan)
    gradient = jax.grad(lambda z: binary_cross_entropy(z, bits, weights)[0])(jnp.asarray(broken))
    assert np.isfinite(gradient).all() and not np.asarray(gradient)[weights == 0].any()


def test_first_steps_count_only_where_they_are_asked_for():
    nats = [np.array([100.0, 1.0, 2.0]), np.array([50.0, 6.0])]
    assert mean_nll(nats) == 3.0 and mean_nll(nats, first=True) == 159 / 5


def test_pieces_are_described_from_the_best_to_the_worst(model, rolls):
    text = examples_text(model, rolls, [np.array([9.0, float(k)]) for k in (3, 1, 4, 2, 2)], steps=4)
    assert text.startswith("best of 5: piece 2, 1.00 nats/step") and "worst of 5: piece 3, 4.00 nats/step" in text
