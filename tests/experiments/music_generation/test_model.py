"""Models of music: what counts, that only the past does, streaming, and what counting alone reaches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.music_generation.composer import compose, describe_pieces, predicted, roll_baselines
from experiments.music_generation.data import RollBatches, with_start
from experiments.music_generation.midi import KEYS
from experiments.music_generation.model import PianoRollSettings, make_roll_score, per_step, roll_nats
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.nnx import functional

RNG = np.random.default_rng(0)
ROLLS = [(RNG.random((steps, KEYS)) < 0.1).astype(np.uint8) for steps in (5, 11, 2, 8, 3)]


@pytest.fixture(params=["recurrent", "transformer"], scope="module")
def model(request):
    settings = PianoRollSettings(model=request.param, hidden_size=8, heads=1, transformer_layers=1)
    return settings.build_piano_roll(jax.random.key(0))


def nats_of(p: np.ndarray, bits: np.ndarray) -> np.ndarray:
    return -np.where(bits > 0, np.log(p), np.log(1 - p)).sum(-1)


def test_bits_are_scored_apart_and_what_does_not_count_has_no_gradient():
    logits, bits = RNG.normal(size=(4, 3, 7)).astype(np.float32), RNG.integers(0, 2, (4, 3, 7))
    weights = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]], np.float32)
    nats, count = binary_cross_entropy(logits, bits, weights)
    wanted = (nats_of(1 / (1 + np.exp(-logits.astype(np.float64))), bits) * weights).sum()
    np.testing.assert_allclose(nats, wanted, rtol=1e-6)
    assert count == 6 and binary_cross_entropy(logits, bits)[1] == 12
    broken = np.where(weights[..., None] > 0, logits, np.nan)
    gradient = jax.grad(lambda z: binary_cross_entropy(z, bits, weights)[0])(jnp.asarray(broken))
    assert np.isfinite(gradient).all() and not np.asarray(gradient)[weights == 0].any()


def test_every_step_is_scored_from_those_before_it(model):
    params, rebuild = functional(model)
    score = jax.jit(lambda rolls, t: jax.nn.sigmoid(rebuild(params)(rolls, jnp.array([12]))[t, 0]))
    for k, nats in enumerate(make_roll_score(rebuild, ROLLS, batch_size=2, buckets=2)(params)):
        for t in range(len(ROLLS[k])):
            future_unknown = np.ones((12, 1, KEYS), np.uint8)
            future_unknown[: t + 1, 0] = with_start(ROLLS[k])[: t + 1]
            p = np.asarray(score(future_unknown, t), np.float64)
            np.testing.assert_allclose(nats[t], nats_of(p, ROLLS[k][t]), rtol=2e-4)


def test_the_loss_is_the_sum_over_valid_steps(model):
    params, rebuild = functional(model)
    batch = RollBatches(ROLLS[:2], 2, 0, 20, buckets=1).batch(0)
    nats, count = jax.jit(lambda batch: roll_nats(rebuild(params), batch))(batch)
    steps = np.concatenate(make_roll_score(rebuild, ROLLS[:2])(params))
    assert count == len(steps) == 16
    np.testing.assert_allclose(nats, steps.sum(), rtol=1e-5)


def test_a_stream_is_the_whole(model):
    params, rebuild = functional(model)
    carry, roll = model.start(6), with_start(ROLLS[0])
    step = jax.jit(lambda carry, keys: rebuild(params).step(carry, keys))
    streamed = []
    for keys in roll:
        carry, logits = step(carry, keys[None])
        streamed.append(jax.nn.sigmoid(logits[0]))
    np.testing.assert_allclose(np.stack(streamed), predicted(model, np.resize(ROLLS[0], (6, KEYS))), atol=2e-6)


def test_what_is_composed_is_what_was_expected(model):
    primer = ROLLS[3]
    without_chance = compose(model, primer, 6, jax.random.key(0), temperature=0.0)
    piece = np.concatenate([primer, without_chance])
    np.testing.assert_array_equal(without_chance, predicted(model, piece)[len(primer) :] > 0.5)
    drawn = [compose(model, primer[:0], 40, jax.random.key(seed)) for seed in (0, 1)]
    assert (drawn[0] != drawn[1]).any() and set(np.unique(drawn[0])) == {0, 1}
    # As many keys as the probabilities say, within four deviations.
    wanted = predicted(model, drawn[0])[1:].sum()
    assert abs(drawn[0][1:].sum() - wanted) < 4 * np.sqrt(wanted)
    with pytest.raises(ValueError, match=r"steps=0, temperature=1\.0"):
        compose(model, primer, 0, jax.random.key(0))


def test_first_steps_count_only_where_they_are_asked_for():
    nats = [np.array([100.0, 1.0, 2.0]), np.array([50.0, 6.0])]
    assert per_step(nats) == 3.0 and per_step(nats, first=True) == 159 / 5


def test_what_counting_reaches():
    training, test = ROLLS[:3], ROLLS[3:]
    found = roll_baselines(training, test)
    frequency, itself, count = 0.0, 0.0, 0
    for roll in test:
        for t in range(1, len(roll)):
            count += 1
            for key in range(KEYS):
                pairs = [(r[s - 1, key], r[s, key]) for r in training for s in range(1, len(r))]
                same = [after for before, after in pairs if before == roll[t - 1, key]]
                for total, seen in ((0, [after for _, after in pairs]), (1, same)):
                    p = (sum(map(int, seen)) + 0.5) / (len(seen) + 1)
                    nats = -np.log(p if roll[t, key] else 1 - p)
                    frequency, itself = (frequency + nats, itself) if total == 0 else (frequency, itself + nats)
    np.testing.assert_allclose(found["frequency of each key"], frequency / count)
    np.testing.assert_allclose(found["each key after itself"], itself / count)


def test_pieces_are_described_from_the_best_to_the_worst(model):
    text = describe_pieces(model, ROLLS, [np.array([9.0, float(k)]) for k in (3, 1, 4, 2, 2)], steps=4)
    assert text.startswith("best of 5: piece 2, 1.00 nats/step") and "worst of 5: piece 3, 4.00 nats/step" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bidirectional": True}, "reads forwards only"),
        ({"input_dropout": 1.0}, "input_dropout"),
        ({"weight_noise": -0.1}, "weight_noise=-0.1"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PianoRollSettings(**options)
