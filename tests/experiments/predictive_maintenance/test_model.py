"""Remaining lives: batches, predictions that see only the past, scores of hand-worked cases, the baseline."""

import jax
import numpy as np
import pytest

from experiments.predictive_maintenance.data import Engine, EngineScale
from experiments.predictive_maintenance.model import (
    EngineBatches,
    LifeSettings,
    Lives,
    cut_errors,
    engine_batch,
    life_line,
    life_scores,
    make_lives,
    ridge_errors,
    spread,
)
from rnn_jax.models.gaussian import WIDTH
from rnn_jax.nnx import functional

CAP = 20


def engines(count: int = 6, seed: int = 0, left: int = 0) -> list[Engine]:
    """Engines that live 25 to 45 cycles; sensors rise towards the end."""
    rng, made = np.random.default_rng(seed), []
    for number in range(1, count + 1):
        length = int(rng.integers(25, 46))
        wear = np.exp(-np.arange(length - 1, -1, -1) / 10)[:, None]
        sensors = wear * np.arange(21) + 0.1 * rng.normal(size=(length, 21))
        known = length - left
        made.append(Engine(number, np.tile([0.0, 0.25, 100.0], (known, 1)), sensors[:known], left))
    return made


def said(*values: tuple[float, float]) -> list[Lives]:
    """Means, and half widths of their intervals, after the second cycle of engines."""
    return [Lives(np.array([0, mean], np.float32), np.array([1, half / WIDTH], np.float32)) for mean, half in values]


def cut(left: int) -> Engine:
    return Engine(1, np.zeros((2, 3)), np.zeros((2, 21)), left)


def test_batches_are_whole_histories_that_follow_from_the_seed():
    of = engines()
    scale = EngineScale.of(of)
    one, same = (EngineBatches(of, scale, CAP, 4, seed=3) for _ in range(2))
    longest = max(map(len, of))
    for i in (4, 0):
        batch, again = one.batch(i), same.batch(i)
        jax.tree.map(np.testing.assert_array_equal, batch, again)
        assert batch["inputs"].shape == (longest, 4, 21) and batch["targets"].dtype == np.float32
        for row, length in enumerate(batch["lengths"]):
            target = batch["targets"][:, row]
            np.testing.assert_allclose(target[:length] * CAP, np.minimum(np.arange(length)[::-1], CAP), rtol=1e-6)
            assert not target[length:].any()


@pytest.mark.parametrize("model", ["recurrent", "transformer"])
def test_what_is_said_after_a_cycle_follows_from_the_cycles_before(model):
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        of = engines(3)
        scale = EngineScale.of(of)
        settings = LifeSettings(hidden_size=18, cap=CAP, model=model, heads=1, transformer_layers=1)
        params, rebuild = functional(settings.build_life(21, jax.random.key(0)))
        cut_off = [Engine(e.number, e.settings[:15], e.sensors[:15], len(e) - 15) for e in of]
        whole, part = (make_lives(rebuild, some, scale, CAP)(params) for some in (of, cut_off))
        for long, short, engine in zip(whole, part, of, strict=True):
            assert len(long.mean) == len(engine) and len(short.mean) == 15
            for a, b in zip(long, short, strict=True):
                np.testing.assert_allclose(a[:15], b, atol=1e-4)
            low, high = long.interval(CAP)
            assert (low >= 0).all() and (low <= long.mean).all() and (long.mean <= high).all() and (high <= CAP).all()
        wide = make_lives(rebuild, of, scale, CAP, stretch=3.0)(params)[0]
        np.testing.assert_array_equal(wide.mean, whole[0].mean)
        np.testing.assert_allclose(wide.std, 3 * whole[0].std, rtol=1e-6)


def test_noise_comes_with_a_key():
    settings = LifeSettings(hidden_size=4, cap=CAP, noise=0.5, dropout=0.0)
    params, rebuild = functional(settings.build_life(21, jax.random.key(0)))
    batch = engine_batch(engines(2), EngineScale.of(engines(2)), CAP)
    loss = jax.jit(lambda params, key: settings.loss(rebuild(params), batch, key))
    with jax.numpy_dtype_promotion("standard"):
        plain, noisy = ([float(x) for x in loss(params, key)] for key in (None, jax.random.key(0)))
    assert plain[0] != noisy[0] and plain[1] == noisy[1] == batch["lengths"].sum()


def test_reading_backwards_is_refused():
    with pytest.raises(ValueError, match="bidirectional=True would let the model see how long an engine lives"):
        LifeSettings(bidirectional=True)
    with pytest.raises(ValueError, match=r"beta=2.0: expected a number from 0 to 1"):
        LifeSettings(beta=2.0)


def test_scores_of_three_engines():
    # Capped, 10 predicted is 2 late, 16 of 20 is 4 early, 20 of 20 (30 in truth) is right.
    lives = said((10, 5), (16, 3), (20, 4))
    scores = life_scores([cut(8), cut(20), cut(30)], lives, CAP)
    assert scores["rmse"] == pytest.approx(np.sqrt((4 + 16) / 3))
    assert scores["rmse, lives not capped"] == pytest.approx(np.sqrt((4 + 16 + 100) / 3))
    assert scores["nasa score"] == pytest.approx(np.exp(0.2) - 1 + np.exp(4 / 13) - 1)
    assert scores["nasa score, lives not capped"] == pytest.approx(scores["nasa score"] + np.exp(10 / 13) - 1)
    assert scores["coverage of 90 % intervals"] == pytest.approx(200 / 3) and scores["longer than the cap"] == 1
    assert scores["width of 90 % intervals"] == pytest.approx((10 + 6 + 4) / 3)
    assert spread([cut(8), cut(20), cut(30)], lives, CAP) == [2, 0, 1]
    assert life_line(cut(8), lives[0], CAP) == "engine 1: after 2 cycles 10 left, 90 % interval 5 to 15"
    assert life_line(cut(30), lives[2], CAP).endswith("16 to 20 or more")


def test_engines_are_cut_off_at_any_cycle_that_a_test_engine_may_end_at():
    of = engines(4)
    lives = [Lives(np.zeros(len(e), np.float32), np.full(len(e), 5, np.float32)) for e in of]
    errors = [min(len(e) - cycle, CAP) for e in of for cycle in range(10, len(e) + 1) if len(e) - cycle <= 1.2 * CAP]
    found = cut_errors(of, lives, CAP, shortest=10)
    assert found.rmse == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    widened = [Lives(x.mean, found.stretch * x.std) for x in lives]
    assert cut_errors(of, widened, CAP, shortest=10).stretch == pytest.approx(1)
    assert np.mean(np.array(errors) <= WIDTH * found.stretch * 5 + 1e-4) >= 0.9
    with pytest.raises(ValueError, match="no engine has 99 cycles"):
        cut_errors(of, lives, CAP, shortest=99)


def test_the_ridge_baseline_learns_and_beats_a_constant():
    training, test = engines(20), engines(10, seed=1, left=5)
    errors = ridge_errors(training, test, EngineScale.of(training), CAP)
    true = np.full(10, 5.0)
    lives = np.concatenate([np.minimum(e.life, CAP) for e in training])
    assert errors["the training lives' mean"] == pytest.approx(abs(lives.mean() - true[0]), rel=1e-5)
    assert errors["ridge regression"] < 4 < errors["the training lives' mean"]
