"""Tables of measurements as people have them: a column of times, columns of numbers, a row for each moment."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from experiments.common.table_cells import (
    MISSING,
    TOLD,
    WORDS,
    TableConfig,
    has_numbers,
    join_names,
    read_categories,
    read_column,
    split_cells,
    split_names,
    tell_decimal,
)
from experiments.common.table_notes import far_from_all, is_falling
from experiments.common.table_times import Clock, form_words, read_time, read_times, tell_time_form
from experiments.common.text import read_file_text
from rnn_jax.checks import nearest
from rnn_jax.data.download import DataError


class Table(NamedTuple):
    """What was measured when."""

    times: np.ndarray
    """datetime64[us] `[T]`, in UTC where the file says how far from it its times are."""
    values: np.ndarray
    """float64 `[T, D]`, NaN where a value is missing."""
    names: list[str]
    """Of the D columns."""
    clock: Clock = Clock()
    """How the file tells its times."""
    lines: np.ndarray = np.empty(0, int)
    """Where each row stands in the file, int `[T]`; empty where that is not known."""


class Dialect(NamedTuple):
    """How a table is written, all of it: what was said, and what was told from the file."""

    delimiter: str = ","
    decimal: str = "."
    time_form: str = "iso"
    """See `tell_time_form`; or a format of strptime."""
    time: str = ""
    """The column of times, or several as `TableConfig.time` has them; empty where that is not known."""
    zoned: bool | None = None
    """Whether it is known how far from UTC its times are, by their offsets or a zone; None where that is not known."""

    def to_json(self) -> dict[str, Any]:
        """As a run keeps it; `Dialect(**content)` reads it."""
        return self._asdict()

    def refuse_zone(self, zoned: bool) -> None:
        """See to it that times of another table are comparable with those of this one.

        Args:
            zoned: of the other table.

        Raises:
            OtherZone: one says how far from UTC its times are, the other does not.
        """
        if self.zoned and not zoned:
            raise OtherZone(
                "its times have no offset from UTC, which is known of those of training: say where they are, as in "
                "--zone Europe/Berlin (or --zone UTC)"
            )
        if self.zoned is False and zoned:
            raise OtherZone(
                "it is known how far from UTC its times are, which is not of those of training: write them without an "
                "offset, by the same clock as there, and without --zone, or train with --zone"
            )


class NoColumn(DataError):
    """A table lacks a column that is wanted."""


class OtherZone(DataError):
    """The times of a table cannot be compared with those of training."""


class TableFile(NamedTuple):
    """What is in the file of a table."""

    tables: dict[str, Table]
    """By series, sorted; "" where there is one."""
    dialect: Dialect
    notes: list[str]
    """What was told or assumed, and what is odd, in words."""
    categories: dict[str, list[str]] = {}  # noqa: RUF012
    """By column that holds words: the words, sorted. Its values are the places of its cells in them."""
    unread: list[str] = []  # noqa: RUF012
    """The columns that were not wanted."""


class Header(NamedTuple):
    """The names of the columns of a table, and which are which."""

    name: str
    """Of the table."""
    cells: list[str]
    time: list[int]
    by: int | None
    columns: list[int]

    @classmethod
    def of(cls, name: str, cells: Sequence[str], time: str, by: str = "", columns: Sequence[str] = ()) -> "Header":
        """Which columns are wanted.

        Args:
            name: of the table, for messages.
            cells: its first line.
            time: the column with the times, or several with commas between them; the first one by default.
            by: the column that says which series a row belongs to, where the table has several.
            columns: those with the numbers that are wanted, in this order; by default all but the others.

        Raises:
            NoColumn: it lacks a column.
            DataError: there is no header, or it names a column twice.
        """
        names = [cell.strip() for cell in cells]
        if len(names) < 2:
            raise DataError(
                f"{name}: the first line has {len(names)} cells: expected names of columns, with commas or another "
                "--delimiter between them"
            )
        if twice := [cell for i, cell in enumerate(names) if cell in names[:i]]:
            raise DataError(f"{name}, line 1: two columns are called {twice[0]!r}: give each a name of its own")

        def place(column: str, remedy: str = "") -> int:
            if column in names:
                return names.index(column)
            hint = nearest(column, names)
            quoted = " (a name with a comma is put in quotes, as in '\"a, b\",c')" if "," in "".join(names) else ""
            raise NoColumn(f"{name} has no column {column!r}: {hint}its columns are {', '.join(names)}{quoted}{remedy}")

        whens = [time] if time in names else split_names(time)
        times = [place(column, "; --time names the column with the times") for column in whens] or [0]
        series = place(by) if by else None
        for i in times:
            if _is_time(names[i]):
                raise DataError(f"{name}, line 1: {names[i]!r} is a time: put a line with names of columns first")
        others = [i for i in range(len(names)) if i not in (*times, series)]
        return cls(name, names, times, series, [place(column) for column in columns] or others)

    @property
    def when(self) -> str:
        """The name of the column of times."""
        return " ".join(self.cells[i] for i in self.time)

    @property
    def unread(self) -> list[str]:
        """The columns that are not wanted."""
        read = {*self.time, self.by, *self.columns}
        return [cell for i, cell in enumerate(self.cells) if i not in read]

    @property
    def names(self) -> list[str]:
        """Of the columns with numbers."""
        return [self.cells[i] for i in self.columns]


def _is_time(cell: str) -> bool:
    try:
        form = tell_time_form([cell], "")
    except DataError:
        return False
    return form in ("iso", "day first", "month first")


def read_tables(
    path: str | Path, config: TableConfig = TOLD, *, by: str = "", columns: Sequence[str] = (),
    ordered: bool = True, categorical: Collection[str] | None = None, learned: bool = False,
) -> TableFile:  # fmt: skip
    """The series in a file, which may be packed by gzip or zip, in any encoding.

    Args:
        path: of the file.
        config: how it is written; what is not said is told from it.
        by: the column that tells several series apart, if there are several.
        columns: with the numbers that are wanted; by default all that are left.
        ordered: whether each time must come after the one before in its series; if not, rows are taken as they come.
        categorical: columns that hold words; those without a single number do, too. With None, none does.
        learned: whether a model has learned which columns are which, so that messages do not ask for it.

    Raises:
        DataError: the file cannot be read, is empty, has no rows, or is not of this form; the message gives the line,
            the column and what to do.
    """
    file = read_file_text(path)
    how = {"by": by, "columns": columns, "ordered": ordered, "categorical": categorical, "learned": learned}
    found = parse_tables(file.text, str(path), config, **how)
    return found._replace(notes=[*filter(None, [file.warning]), *found.notes])


def parse_tables(
    text: str, name: str, config: TableConfig = TOLD, *, by: str = "", columns: Sequence[str] = (),
    ordered: bool = True, categorical: Collection[str] | None = None, learned: bool = False,
) -> TableFile:  # fmt: skip
    """The series in a text called `name`; other arguments and errors are those of `read_tables`."""
    delimiter, by_column, lines = split_cells(text, name, config)
    header = Header.of(name, [column[0] for column in by_column], config.time, by, columns)
    if len(lines) == 1:
        raise DataError(f"{name} has no rows after its header")
    by_column = [[cell.strip() for cell in column[1:]] for column in by_column]

    def at(row: int) -> str:
        return f"{name}, line {lines[row + 1]}"

    whens = by_column[header.time[0]]
    if len(header.time) > 1:
        whens = [" ".join(parts) for parts in zip(*(by_column[i] for i in header.time), strict=True)]
    try:
        form = config.time_format or tell_time_form(whens, header.when)
    except DataError as error:
        raise DataError(f"{at(0)}: {error}") from error
    times, wrong = read_times(whens, form)
    if wrong is not None:
        fault = f" is no time: expected {form_words(form)}; correct it, or say --time-format"
        if "" in times.offsets and read_time(whens[wrong], form) is not None:
            fault = ": either all times have an offset from UTC, or none"
        raise DataError(f"{at(wrong)}: column {header.when!r}: {whens[wrong]!r}{fault}")
    wanted = {column: by_column[i] for column, i in zip(header.names, header.columns, strict=True)}
    marks = {marker.lower() for marker in split_names(config.missing)}
    missing = MISSING | marks
    numbers, categories = wanted, dict[str, list[str]]()
    if categorical is not None:
        numbers = {c: cells for c, cells in wanted.items() if c not in categorical and has_numbers(cells, missing)}
    decimal, notes = config.decimal, []
    if not decimal:
        decimal, notes = tell_decimal(numbers, delimiter, name)
    values = np.empty((len(whens), len(wanted)))
    for i, (column, found) in enumerate(wanted.items()):
        if column not in numbers:
            categories[column], values[:, i] = read_categories(found, (MISSING - WORDS) | marks)
            continue
        values[:, i] = read_column(found, decimal, missing)
        if np.isinf(values[:, i]).any():
            row = int(np.isinf(values[:, i]).argmax())
            raise DataError(
                f"{at(row)}: column {column!r}: {found[row]!r} is no finite number: correct it, leave the cell empty "
                "where a value is missing (or say --missing)"
                + (", or name the columns that have numbers" if not learned else "")
                + (" or, with --categorical, words" if categorical is not None and not learned else "")
            )
        notes += far_from_all(column, values[:, i])
    clock = Clock(config.zone or times.last, times.form)
    if len(times.offsets) > 1 and not config.zone:
        notes.append(
            f"the offset from UTC changes ({', '.join(times.offsets)}): times are given back with the last one; name "
            "the zone, as in --zone Europe/Berlin, to have the right one for each"
        )
    zone = config.zone if not times.offsets else ""  # of times that say none themselves
    tables, at_line = {}, np.array(lines[1:])
    for series, rows in _rows_of(None if header.by is None else by_column[header.by], len(whens)).items():
        utc = _in_utc(times.utc[rows], zone, f"{name}: column {header.when!r}")
        if config.sort:
            arranged = np.argsort(utc, kind="stable")
            utc, rows = utc[arranged], rows[arranged]
        table = Table(utc, values[rows], header.names, clock, at_line[rows])
        if ordered:
            kept = _without_copies(table)
            if copies := int((~kept).sum()):
                notes.append(f"{copies:,} row{'s' * (copies > 1)} said once more what the row before had: left out")
            table, rows = (
                table._replace(times=utc[kept], values=table.values[kept], lines=table.lines[kept]),
                rows[kept],
            )
            if (np.diff(table.times) <= np.timedelta64(0)).any():
                place = int((np.diff(table.times) <= np.timedelta64(0)).argmax())
                cell, before = whens[rows[place + 1]], whens[rows[place]]
                what, remedies = f"after {before}", ["sort the rows with --sort"]
                if table.times[place] == table.times[place + 1]:
                    what, remedies = "again", ["keep one of the rows"]
                if not zone and not times.offsets:
                    remedies.append("say --zone where it is the hour that the end of summer time repeats")
                remedies += [] if by or learned else ["name the column that tells several series apart"]
                raise DataError(
                    f"{at(rows[place + 1])}: column {header.when!r}: {cell!r} {what}: times must rise; "
                    f"{', or '.join(remedies)}"
                )
        elif said := is_falling(table.times, [lines[row + 1] for row in rows]):
            if said.mostly:
                raise DataError(f"{name}: {said.words}: say --sort, which puts the rows in order of time")
            notes.append(f"{said.words}: rows are taken as they come")
        tables[series] = table
    time = join_names([header.cells[i] for i in header.time])
    dialect = Dialect(delimiter, decimal, form, time, bool(times.offsets or config.zone))
    return TableFile(tables, dialect, notes, categories, header.unread)


def _rows_of(series: Sequence[str] | None, count: int) -> dict[str, np.ndarray]:
    """Which of so many rows are of each series, sorted by its name; "" where there is one."""
    if series is None:
        return {"": np.arange(count)}
    names, places = np.unique(np.array(series, object).astype(str), return_inverse=True)
    parts = np.split(np.argsort(places, kind="stable"), np.cumsum(np.bincount(places))[:-1])
    return dict(zip(names.tolist(), parts, strict=True))


def _in_utc(times: np.ndarray, zone: str, where: str) -> np.ndarray:
    """Times in UTC, datetime64[us]: of a zone, or as they are where it is empty."""
    if not zone:
        return times
    try:
        index = pd.DatetimeIndex(times)
        try:
            index = index.tz_localize(zone, ambiguous="infer")
        except ValueError as error:
            if "no repeated times" not in str(error):
                raise
            index = index.tz_localize(zone, ambiguous=np.ones(len(times), bool))  # there is only one: the first
        index = index.tz_convert("UTC")
    except ValueError as error:
        raise DataError(f"{where}: {str(error).partition('; ')[0]}; correct it, or take another --zone") from error
    return index.tz_localize(None).to_numpy().astype("datetime64[us]")


def _without_copies(table: Table) -> np.ndarray:
    """Which rows are not the same as the one before: bool `[T]`."""
    kept = np.ones(len(table.times), bool)
    same = table.times[1:] == table.times[:-1]
    if same.any():
        before, after = table.values[:-1][same], table.values[1:][same]
        kept[1:][same] = ~((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=1)
    return kept
