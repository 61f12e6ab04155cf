"""Models of music: their loss, streaming, and samples that follow their probabilities."""

import jax
import numpy as np
import pytest

from experiments.music_generation.data import RollBatches, prepend_silence
from experiments.music_generation.midi import PITCHES
from experiments.music_generation.model import roll_nll, sample_roll
from experiments.music_generation.scores import make_step_nll, pitch_probabilities
from rnn_jax.models.nade import NADE
from rnn_jax.nnx import functional


@pytest.mark.exhaustive(but=1)
def test_the_loss_is_the_sum_over_valid_steps(model, rolls):
    params, rebuild = functional(model)
    batch = RollBatches(rolls[:2], 2, 0, 20, buckets=1).batch(0)
    nats, count = jax.jit(lambda batch: roll_nll(rebuild(params), batch))(batch)
    steps = np.concatenate(make_step_nll(rebuild, rolls[:2])(params))
    assert count == len(steps) == 16
    np.testing.assert_allclose(nats, steps.sum(), rtol=1e-5)


def test_a_stream_is_the_whole(model, rolls):
    params, rebuild = functional(model)
    carry, roll = model.initial_carry(6), prepend_silence(rolls[0])
    step = jax.jit(lambda carry, pitches: rebuild(params).step(carry, pitches))
    streamed, whole = [], np.resize(rolls[0], (6, PITCHES))
    for pitches, after in zip(roll, whole, strict=True):
        carry, y = step(carry, pitches[None])
        logits = model.score(y, after[None]) if isinstance(model.score, NADE) else model.score(y)
        streamed.append(jax.nn.sigmoid(logits[0]))
    np.testing.assert_allclose(np.stack(streamed), pitch_probabilities(model, whole), atol=2e-6)


@pytest.mark.exhaustive(but=1)
def test_samples_follow_the_probabilities(model, rolls):
    primer = rolls[3]
    likeliest = sample_roll(model, primer, 6, jax.random.key(0), temperature=0.0)
    piece = np.concatenate([primer, likeliest])
    np.testing.assert_array_equal(likeliest, pitch_probabilities(model, piece)[len(primer) :] > 0.5)
    sampled = [sample_roll(model, primer[:0], 40, jax.random.key(seed)) for seed in (0, 1)]
    assert (sampled[0] != sampled[1]).any() and set(np.unique(sampled[0])) == {0, 1}
    # As many pitches as the probabilities say, within four deviations.
    expected = pitch_probabilities(model, sampled[0])[1:].sum()
    assert abs(sampled[0][1:].sum() - expected) < 4 * np.sqrt(expected)
    with pytest.raises(ValueError, match=r"steps=0, temperature=1\.0"):
        sample_roll(model, primer, 0, jax.random.key(0))
