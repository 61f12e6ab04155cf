"""The rows of a table one after the other, as soon as their lines come."""

import csv
import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import numpy as np

from experiments.common.table_cells import (
    MISSING,
    TOLD,
    TableConfig,
    read_column,
    split_names,
    tell_decimal,
    tell_delimiter,
)
from experiments.common.table_times import Clock, form_words, read_time, tell_time_form
from experiments.common.tables import Dialect, Header, OtherZone
from rnn_jax.data.download import DataError


class Row(NamedTuple):
    """One row of a table."""

    time: datetime
    """Without a time zone, in UTC where the file says how far from it its times are."""
    values: np.ndarray
    """float64 `[D]`, NaN where a value is missing."""
    number: int
    """1 for the first row after the header."""
    told: str
    """The time in words, in the zone and with the offset that it came in."""
    series: str = ""
    """Which it belongs to, where a column tells several apart."""


class BadRow(NamedTuple):
    """One row that cannot be read."""

    number: int
    """1 for the first row after the header."""
    error: DataError


class TableRows:
    """The rows of a table: iterate once. They are taken as they come, also where their times do not rise.

    A cell means what it means in a file, see `experiments.common.tables.parse_tables`; but as what comes later is not
    known, a first row that can be read in two ways is refused, unless `learned` says how rows are written.

    Args:
        lines: of the table, such as an open file or `rnn_jax.data.read_lines(sys.stdin.buffer)`.
        name: of the table, for messages.
        config: how the table is written.
        columns: those with the numbers that are wanted, in this order; by default all but that of the times.
        learned: how a table was written that it is to be read like, if its delimiter is the same.
        by: the column that says which series a row belongs to, where the table has several.

    Attributes:
        names: of the columns with numbers.

    Raises:
        DataError: there is no header, it lacks a column, or names one twice. While iterating: a line has too few or too
            many cells, a time or a number is none. The message gives line, column and remedy.
    """

    def __init__(
        self, lines: Iterable[str], name: str, config: TableConfig = TOLD, *,
        columns: Iterable[str] = (), learned: Dialect | None = None, by: str = "",
    ):  # fmt: skip
        self.name, self.config = name, config
        given = (line.removesuffix("\n").removesuffix("\r").removeprefix("\ufeff") for line in lines)
        begun = [next((line for line in given if line.strip()), "")]
        delimiter, self._skipped = config.character, 0
        if begun[0][:4].lower() == "sep=" and len(begun[0].strip()) == 5:
            delimiter, self._skipped, begun = delimiter or begun[0][4], 1, [next(given, "")]
        if not delimiter and sum(mark in begun[0] for mark in "\t;|,") > 1:  # the header leaves it open
            begun.append(next(given, ""))
        delimiter = delimiter or tell_delimiter([line for line in begun if line.strip()])
        feed = (f"{line}\n" for line in itertools.chain(begun, given))
        self._reader = csv.reader(feed, delimiter=delimiter, strict=True, skipinitialspace=True)
        self._header = Header.of(name, next(self._lines(), []), config.time, by, tuple(columns))
        self.names = self._header.names
        same = learned is not None and learned.delimiter == delimiter
        self._decimal = config.decimal or (learned.decimal if learned and same else "")
        self._form = config.time_format or (learned.time_form if learned and same else "")
        self._delimiter, self._learned = delimiter, learned
        self._zoned: bool | None = None  # whether times have an offset, as the first one has or has not
        self._missing = MISSING | {marker.lower() for marker in split_names(config.missing)}

    def __iter__(self) -> Iterator[Row]:
        for row in self.each():
            if isinstance(row, BadRow):
                raise row.error
            yield row

    def each(self) -> Iterator[Row | BadRow]:
        """All rows, those that cannot be read, too."""
        for number, cells in enumerate(self._lines(), 1):
            try:
                yield self._row(number, cells)
            except OtherZone:  # so are all rows
                raise
            except DataError as error:
                yield BadRow(number, error)

    def _row(self, number: int, row: list[str]) -> Row:
        if len(row) != len(self._header.cells):
            raise self._error(f"{len(row)} cells, expected {len(self._header.cells)}, one for each name in line 1")
        cells = [cell.strip() for cell in row]
        time, told = self._read_time(" ".join(cells[i] for i in self._header.time))
        series = "" if self._header.by is None else cells[self._header.by]
        return Row(time, self._read_numbers([cells[i] for i in self._header.columns]), number, told, series)

    def _lines(self) -> Iterator[list[str]]:
        """The cells of each line that is not empty."""
        try:
            yield from (cells for cells in self._reader if "".join(cells).strip())
        except csv.Error as error:
            raise self._error(f"{error}; quotes come in pairs, around a whole cell") from error

    def _read_time(self, cell: str) -> tuple[datetime, str]:
        column = self._header.when
        if not self._form:
            try:
                self._form = tell_time_form([cell], column)
            except DataError as error:
                raise self._error(str(error)) from error
        found = read_time(cell, self._form)
        if found is None:
            raise self._error(f"column {column!r}: {cell!r} is no time: expected {form_words(self._form)}")
        time, offset = found
        zone = self.config.zone
        if self._zoned is None:
            self._zoned = bool(offset)
            if self._learned:
                try:
                    self._learned.refuse_zone(bool(offset or zone))
                except OtherZone as error:
                    raise OtherZone(str(self._error(f"column {column!r}: {cell!r}: {error}"))) from error
        if self._zoned != bool(offset):
            raise self._error(f"column {column!r}: {cell!r}: either all times have an offset from UTC, or none")
        if zone and not offset:
            time = Clock(zone).to_utc(time)
        return time, Clock(zone or offset).tell_row(time)

    def _read_numbers(self, cells: list[str]) -> np.ndarray:
        if not self._decimal and any("." in cell or "," in cell for cell in cells):
            try:
                named = {name: [cell] for name, cell in zip(self.names, cells, strict=True)}
                self._decimal = tell_decimal(named, self._delimiter, self.name)[0]
            except DataError as error:
                raise self._error(str(error).removeprefix(f"{self.name}: ")) from error
        values = read_column(cells, self._decimal or ".", self._missing)
        if np.isinf(values).any():
            place = int(np.isinf(values).argmax())
            raise self._error(
                f"column {self.names[place]!r}: {cells[place]!r} is no finite number: correct it, leave the cell empty "
                "where a value is missing, or name the columns that have numbers"
            )
        return values

    def _error(self, what: str) -> DataError:
        return DataError(f"{self.name}, line {self._reader.line_num + self._skipped}: {what}")
