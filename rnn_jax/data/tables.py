"""Tables of measurements in CSV: a column of times, columns of numbers, a row for each moment."""

import csv
import difflib
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn_jax.data.download import DataError
from rnn_jax.data.text import read_text

MISSING = {"", "na", "n/a", "nan", "none", "null"}
"""Cells that say that there is no value, in lower case."""


class Table(NamedTuple):
    """What was measured when."""

    times: np.ndarray
    """datetime64[us] `[T]`, in UTC where the file says how far from it its times are."""
    values: np.ndarray
    """float64 `[T, D]`, NaN where a value is missing."""
    names: list[str]
    """Of the D columns."""


class Row(NamedTuple):
    """One row of a table."""

    time: datetime
    """Without a time zone, in UTC where the file says how far from it its times are."""
    values: np.ndarray
    """float64 `[D]`, NaN where a value is missing."""
    series: str
    """Which of several series the row belongs to; empty where there is one."""


class TableRows:
    """The rows of a CSV table, one after the other, as soon as their lines come: iterate once.

    The first line names the columns, commas stand between cells, quotes are as spreadsheets write them, and empty lines
    are skipped. Times are ISO 8601 ("2013-01-31", "2013-01-31 06:00:00", "2013-01-31T06:00:00Z"). A cell that is empty,
    or NaN, NA, N/A, null or none in any case, is a missing value.

    Args:
        lines: of the table, such as an open file or `rnn_jax.data.read_lines(sys.stdin.buffer)`.
        name: of the table, for messages.
        columns: those with the numbers that are wanted, in this order; by default all but the others named here.
        time: the column with the times; the first one by default.
        by: the column that says which series a row belongs to, where the table has several.
        ordered: whether each time must come after the one before in its series; if not, rows are taken as they come.

    Attributes:
        names: of the columns with numbers.

    Raises:
        DataError: there is no header, it lacks a column, or names one twice. While iterating: a line has too few or too
            many cells, a time or a number is none, or a time does not come after the one before. The message gives
            line, column and remedy.
    """

    def __init__(
        self,
        lines: Iterable[str],
        name: str,
        *,
        columns: Sequence[str] = (),
        time: str = "",
        by: str = "",
        ordered: bool = True,
    ):
        self.name, self.ordered = name, ordered
        self._reader = csv.reader((line.removesuffix("\n") + "\n" for line in lines), strict=True)
        self._header = header = [cell.strip() for cell in next(self._lines(), [])]
        if len(header) < 2:
            raise DataError(f"{name}: the first line has {len(header)} cells: expected names of columns, with commas")
        if twice := [cell for i, cell in enumerate(header) if cell in header[:i]]:
            raise DataError(f"{name}, line 1: two columns are called {twice[0]!r}: give each a name of its own")
        self._time = self._place(time) if time else 0
        if _parse_time(header[self._time]):
            raise DataError(f"{name}, line 1: {header[self._time]!r} is a time: put a line with names of columns first")
        self._by = self._place(by) if by else None
        others = [i for i in range(len(header)) if i not in (self._time, self._by)]
        self._columns = [self._place(column) for column in columns] or others
        self.names = [header[i] for i in self._columns]
        self._last: dict[str, datetime] = {}
        self._zoned: bool | None = None

    def __iter__(self) -> Iterator[Row]:
        for cells in self._lines():
            if len(cells) != len(self._header):
                raise self._error(f"{len(cells)} cells, expected {len(self._header)}, one for each name in line 1")
            series = "" if self._by is None else cells[self._by].strip()
            time = self._read_time(cells[self._time], series)
            yield Row(time, np.array([self._read_number(cells[i], i) for i in self._columns]), series)

    def _lines(self) -> Iterator[list[str]]:
        """The cells of each line that is not empty."""
        try:
            yield from (cells for cells in self._reader if cells)
        except csv.Error as error:
            raise self._error(f"{error}; quotes come in pairs, around a whole cell") from error

    def _place(self, column: str) -> int:
        if column in self._header:
            return self._header.index(column)
        near = difflib.get_close_matches(column, self._header, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DataError(f"{self.name} has no column {column!r}: {hint}its columns are {', '.join(self._header)}")

    def _read_time(self, cell: str, series: str) -> datetime:
        column = self._header[self._time]
        time = _parse_time(cell)
        if time is None:
            raise self._error(
                f"column {column!r}: {cell!r} is no time: expected ISO 8601, such as 2013-01-31 06:00:00; "
                "if the times are in another column, name it"
            )
        zoned = time.tzinfo is not None
        if self._zoned not in (None, zoned):
            raise self._error(f"column {column!r}: {cell!r}: either all times have an offset from UTC, or none")
        self._zoned = zoned
        time = time.astimezone(UTC).replace(tzinfo=None) if zoned else time
        last = self._last.get(series)
        if self.ordered and last is not None and time <= last:
            what, remedy = ("again", "keep one of the rows") if time == last else (f"after {last}", "sort the rows")
            hint = "" if self._by is not None else ", or name the column that tells several series apart"
            raise self._error(f"column {column!r}: {cell!r} {what}: times must rise; {remedy}{hint}")
        self._last[series] = time
        return time

    def _read_number(self, cell: str, place: int) -> float:
        cell = cell.strip()
        if cell.lower() in MISSING:
            return math.nan
        try:
            number = float(cell) if "_" not in cell else math.inf
        except ValueError:
            number = math.inf
        if math.isinf(number):
            raise self._error(
                f"column {self._header[place]!r}: {cell!r} is no finite number: correct it, leave the cell empty "
                "where a value is missing, or name the columns that have numbers"
            )
        return number

    def _error(self, what: str) -> DataError:
        return DataError(f"{self.name}, line {self._reader.line_num}: {what}")


def read_tables(path: str | Path, by: str, *, columns: Sequence[str] = (), time: str = "") -> dict[str, Table]:
    """The series of a CSV file that has several, by what stands in the column `by`; sorted by that.

    Other arguments and errors are those of `read_table`.
    """
    return parse_tables(read_text(path), str(path), columns=columns, time=time, by=by)


def read_table(path: str | Path, *, columns: Sequence[str] = (), time: str = "", ordered: bool = True) -> Table:
    """The table in a CSV file; the arguments are those of `TableRows`.

    Raises:
        DataError: the file cannot be read, is empty or not UTF-8, has no rows, or is not as `TableRows` says.
    """
    return parse_tables(read_text(path), str(path), columns=columns, time=time, ordered=ordered)[""]


def parse_tables(text: str, name: str, **options) -> dict[str, Table]:
    """The tables in a text by their series, "" where there is one; `name` and `options` are those of `TableRows`."""
    rows = TableRows(io.StringIO(text), name, **options)
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.series, []).append(row)
    if not found:
        raise DataError(f"{name} has no rows after its header")
    return {
        series: Table(
            np.array([row.time for row in found[series]], "datetime64[us]"),
            np.stack([row.values for row in found[series]]),
            rows.names,
        )
        for series in sorted(found)
    }


def _parse_time(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell.strip())
    except ValueError:
        return None
