"""Engine tables: what a row means, the real files, and every mistake."""

import numpy as np
import pytest

from experiments.predictive_maintenance.data import (
    engine_files,
    hold_out_engines,
    load_engines,
    read_engines,
    read_rul,
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
    np.testing.assert_array_equal(one.rul, [2, 1, 0])


def test_a_folder_has_training_and_test_engines(tmp_path):
    table(tmp_path, *(row(e, c) for e in range(1, 6) for c in (1, 2)))
    table(tmp_path, row(1, 1), row(1, 2), row(2, 1), name="test_FD009.txt")
    table(tmp_path, "40 ", "0", name="RUL_FD009.txt")
    training, test, names = load_engines(str(tmp_path), "FD009")
    assert names == [] and len(training) == 5 and [e.final_rul for e in test] == [40, 0]
    np.testing.assert_array_equal(test[0].rul, [41, 40])
    names = [path.name for path in engine_files(str(tmp_path), "FD009")]
    assert names == ["train_FD009.txt", "test_FD009.txt", "RUL_FD009.txt"]
    kept, held = hold_out_engines(training)
    assert ([e.number for e in kept], [e.number for e in held]) == ([1, 2, 3, 4], [5])
    with pytest.raises(DataError, match="4 training engines: expected 5"):
        hold_out_engines(kept)


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
def test_mistakes_in_a_file_of_rul(tmp_path, content, message):
    (tmp_path / "RUL.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        read_rul(tmp_path / "RUL.txt")


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
    (tmp_path / "train_FD009.txt").write_bytes(b"1 \x00")
    with pytest.raises(DataError, match=r"has a zero byte at offset 2: it is no text"):
        load_engines(str(tmp_path), "FD009")


def test_the_real_engines(real_data):
    training, test, _ = load_engines()
    assert (len(training), len(test), len(training[0]), len(test[0])) == (100, 100, 192, 31)
    assert sum(map(len, training)) == 20_631 and sum(map(len, test)) == 13_096
    assert (test[0].final_rul, test[-1].final_rul, min(e.final_rul for e in test)) == (112, 20, 7)
