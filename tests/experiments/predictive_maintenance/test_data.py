"""Engine tables: what a row means, features within operating conditions, the real files, and every mistake."""

import numpy as np
import pytest

from experiments.predictive_maintenance.data import (
    Engine,
    EngineScale,
    engine_digests,
    hold_out_engines,
    load_engines,
    read_engines,
    read_left,
)
from rnn_jax.data import DataError


def row(engine: int, cycle: int, altitude: float = 0.0, **cells) -> str:
    values = [engine, cycle, altitude, 0.25, 100, *(100 + sensor + cycle for sensor in range(21))]
    for place, cell in cells.items():
        values[int(place.removeprefix("column_")) - 1] = cell
    return " ".join(map(str, values))


def table(tmp_path, *lines: str, name: str = "train_FD009.txt"):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "  \n")
    return path


def test_a_row_is_a_cycle_of_an_engine(tmp_path):
    path = table(tmp_path, row(7, 1), row(7, 2), row(7, 3), "", row(2, 1, altitude=10.002))
    one, other = read_engines(path)
    assert (one.number, len(one), other.number, len(other)) == (7, 3, 2, 1)
    np.testing.assert_array_equal(one.sensors[:, 20], [121, 122, 123])
    np.testing.assert_array_equal(other.settings, [[10.002, 0.25, 100]])
    np.testing.assert_array_equal(one.life, [2, 1, 0])


def test_a_folder_has_training_and_test_engines(tmp_path):
    table(tmp_path, *(row(e, c) for e in range(1, 6) for c in (1, 2)))
    table(tmp_path, row(1, 1), row(1, 2), row(2, 1), name="test_FD009.txt")
    table(tmp_path, "40 ", "0", name="RUL_FD009.txt")
    training, test = load_engines(str(tmp_path), "FD009")
    assert len(training) == 5 and [e.left for e in test] == [40, 0]
    np.testing.assert_array_equal(test[0].life, [41, 40])
    assert set(engine_digests(str(tmp_path), "FD009")) == {"train_FD009.txt", "test_FD009.txt", "RUL_FD009.txt"}
    kept, held = hold_out_engines(training)
    assert ([e.number for e in kept], [e.number for e in held]) == ([1, 2, 3, 4], [5])
    with pytest.raises(DataError, match="4 training engines: expected 5"):
        hold_out_engines(kept)


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
    scale = EngineScale.of(engines)
    assert scale.conditions == [[int(c), 100] for c in conditions]
    assert scale.sensors == [s for s in range(21) if s not in (0, 5)]
    assert EngineScale(**scale.to_json()) == scale
    features = np.concatenate([scale.features(engine) for engine in engines])
    altitude = np.concatenate([engine.settings[:, 0] for engine in engines])
    for condition in conditions:
        part = features[abs(altitude - condition) < 1]
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(part.std(axis=0), 1, atol=1e-5)


def test_features_do_not_depend_on_the_engines_they_are_made_of():
    scale, other = EngineScale.of(engines_of([0.0])), engines_of([0.0], seed=1)[2]
    kept = other.sensors[:, scale.sensors]
    np.testing.assert_allclose(scale.features(other), (kept - scale.mean[0]) / scale.std[0], rtol=1e-6)


def test_a_sensor_that_is_constant_under_one_condition_only_is_zero_there():
    engines = engines_of([0.0, 25.0])
    for engine in engines:
        engine.sensors[engine.settings[:, 0] > 20, 3] = 7.1
    scale = EngineScale.of(engines)
    features = scale.features(engines[0])
    low, high = (engines[0].settings[:, 0] < 20), (engines[0].settings[:, 0] > 20)
    assert np.ptp(features[low, scale.sensors.index(3)]) > 1
    np.testing.assert_allclose(features[high, scale.sensors.index(3)], 0, atol=1e-6)


def test_an_unknown_condition_and_dead_sensors_are_refused():
    scale = EngineScale.of(engines_of([0.0]))
    with pytest.raises(DataError, match=r"engine 0, cycle 1: settings .*; known altitudes and throttles: \[0, 100\]"):
        scale.features(engines_of([20.0])[0])
    dead = Engine(1, np.zeros((9, 3)), np.ones((9, 21)))
    with pytest.raises(DataError, match="all 21 sensors of 1 engines are constant"):
        EngineScale.of([dead])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([row(1, 1), row(1, 2) + " 4"], "row 2: 27 columns, expected 26"),
        ([row(1, 1).rpartition(" ")[0]], "row 1: 25 columns, expected 26"),
        ([row(1, 1), row(1, 2, column_9="x")], "row 2, column 9: 'x' is not a number"),
        ([row(1, 1, column_26="nan")], "row 1, column 26: 'nan'; missing values are not supported"),
        ([row(1, 1, column_26="inf")], "row 1, column 26: 'inf'"),
        ([row(1.5, 1)], "row 1, column 1: engine '1.5'; expected a whole number from 1 on"),
        ([row(1, 1), row(1, 3)], "row 2, column 2: cycle 3 of engine 1; expected 2"),
        ([row(1, 1), row(1, 1)], "row 2, column 2: cycle 1 of engine 1; expected 2"),
        ([row(1, 2)], "row 1, column 2: cycle 2 of engine 1; expected 1"),
        ([row(1, 1), row(2, 1), row(1, 2)], "row 3, column 1: engine 1 again"),
        ([""], "has no rows"),
    ],
)
def test_mistakes_are_named_by_file_row_and_column(tmp_path, lines, message):
    path = table(tmp_path, *lines)
    with pytest.raises(DataError) as raised:
        read_engines(path)
    assert message in str(raised.value) and str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("12 3", "row 1: 2 columns, expected 1"),
        ("12\n-3", "row 2, column 1: '-3'; expected a whole number of cycles"),
        ("12\n\nx", "row 3, column 1: 'x' is not a number"),
    ],
)
def test_mistakes_in_what_is_left(tmp_path, content, message):
    (tmp_path / "RUL.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        read_left(tmp_path / "RUL.txt")


def test_files_that_are_missing_or_do_not_fit(tmp_path):
    with pytest.raises(DataError, match=r"has no train_FD002.txt; its training files: none"):
        load_engines(str(tmp_path), "FD002")
    with pytest.raises(DataError, match=r"subset='FD002' is not in the catalogue: use FD001"):
        load_engines("", "FD002")
    table(tmp_path, row(1, 1))
    with pytest.raises(DataError, match=r"test_FD009.txt' cannot be read: No such file"):
        load_engines(str(tmp_path), "FD009")
    table(tmp_path, row(1, 1), name="test_FD009.txt")
    table(tmp_path, "1", "2", name="RUL_FD009.txt")
    with pytest.raises(DataError, match=r"RUL_FD009.txt has 2 rows: expected 1, one for each engine in"):
        load_engines(str(tmp_path), "FD009")
    (tmp_path / "train_FD009.txt").write_bytes(b"1 \xe4")
    with pytest.raises(DataError, match=r"is not UTF-8: byte 0x.. at offset 2"):
        load_engines(str(tmp_path), "FD009")


def test_the_real_engines(real_data):
    training, test = load_engines()
    assert (len(training), len(test), len(training[0]), len(test[0])) == (100, 100, 192, 31)
    assert sum(map(len, training)) == 20_631 and sum(map(len, test)) == 13_096
    assert (test[0].left, test[-1].left, min(e.left for e in test)) == (112, 20, 7)
    scale = EngineScale.of(training)
    assert len(scale.conditions) == 1 and [s + 1 for s in scale.sensors] == [
        2,
        3,
        4,
        7,
        8,
        9,
        11,
        12,
        13,
        14,
        15,
        17,
        20,
        21,
    ]
