"""Features within operating conditions, and batches of whole histories."""

import jax
import numpy as np
import pytest

from experiments.predictive_maintenance.data import Engine, load_engines
from experiments.predictive_maintenance.features import EngineBatches, SensorScaling
from rnn_jax.data import DataError
from tests.experiments.predictive_maintenance.small_engines import CAP, make_engines


def engines_of(conditions: list[float], seed: int = 0) -> list[Engine]:
    """Engines whose sensor s reads altitude × s + noise; sensor 0 is constant, sensor 5 takes two values."""
    rng, engines = np.random.default_rng(seed), []
    for number in range(4):
        altitude = rng.choice(conditions, 50)
        settings = np.stack([altitude + rng.uniform(-0.01, 0.01, 50), np.full(50, 0.25), np.full(50, 100.0)], axis=1)
        sensors = 10 * altitude[:, None] * np.arange(21) + rng.normal(size=(50, 21))
        sensors[:, 0], sensors[:, 5] = 518.67, rng.choice([1.0, 2.0], 50)
        engines.append(Engine(number, settings, sensors))
    return engines


@pytest.mark.parametrize("conditions", [[0.0], [0.0, 25.0, 42.0]])
def test_features_are_standardised_within_each_condition(conditions):
    engines = engines_of(conditions)
    scaling = SensorScaling.fit(engines)
    assert scaling.conditions == [[int(c), 100] for c in conditions]
    assert scaling.sensors == [s for s in range(21) if s not in (0, 5)]
    assert SensorScaling(**scaling.to_json()) == scaling
    features = np.concatenate([scaling.features(engine) for engine in engines])
    altitude = np.concatenate([engine.settings[:, 0] for engine in engines])
    for condition in conditions:
        part = features[abs(altitude - condition) < 1]
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(part.std(axis=0), 1, atol=1e-5)


def test_features_do_not_depend_on_the_engines_they_are_made_of():
    scaling, other = SensorScaling.fit(engines_of([0.0])), engines_of([0.0], seed=1)[2]
    kept = other.sensors[:, scaling.sensors]
    np.testing.assert_allclose(scaling.features(other), (kept - scaling.mean[0]) / scaling.std[0], rtol=1e-6)


def test_a_sensor_that_is_constant_under_one_condition_only_is_zero_there():
    engines = engines_of([0.0, 25.0])
    for engine in engines:
        engine.sensors[engine.settings[:, 0] > 20, 3] = 7.1
    scaling = SensorScaling.fit(engines)
    features = scaling.features(engines[0])
    low, high = (engines[0].settings[:, 0] < 20), (engines[0].settings[:, 0] > 20)
    assert np.ptp(features[low, scaling.sensors.index(3)]) > 1
    np.testing.assert_allclose(features[high, scaling.sensors.index(3)], 0, atol=1e-6)


def test_an_unknown_condition_and_dead_sensors_are_refused():
    scaling = SensorScaling.fit(engines_of([0.0]))
    with pytest.raises(DataError, match=r"engine 0, cycle 1: settings .*; known ones, in whole units: \[0, 100\]"):
        scaling.features(engines_of([20.0])[0])
    dead = Engine(1, np.zeros((9, 3)), np.ones((9, 21)))
    with pytest.raises(DataError, match="all 21 sensors of 1 engines are constant"):
        SensorScaling.fit([dead])


def test_batches_are_whole_histories_that_follow_from_the_seed():
    engines = make_engines()
    scaling = SensorScaling.fit(engines)
    one, same = (EngineBatches(engines, scaling, CAP, 4, seed=3) for _ in range(2))
    longest = max(map(len, engines))
    for i in (4, 0):
        batch, again = one.batch(i), same.batch(i)
        jax.tree.map(np.testing.assert_array_equal, batch, again)
        assert batch["inputs"].shape == (longest, 4, 21) and batch["targets"].dtype == np.float32
        for row, length in enumerate(batch["lengths"]):
            target = batch["targets"][:, row]
            np.testing.assert_allclose(target[:length] * CAP, np.minimum(np.arange(length)[::-1], CAP), rtol=1e-6)
            assert not target[length:].any()


def test_the_sensors_of_the_real_engines(real_data):
    scaling = SensorScaling.fit(load_engines()[0])
    assert len(scaling.conditions) == 1
    assert [s + 1 for s in scaling.sensors] == [2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21]
