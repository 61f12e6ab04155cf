"""Histories of units in a table with named columns: which unit, when, and what its sensors said."""

import contextlib
import csv
import io
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.common.prediction import STANDARD_INPUT
from experiments.common.reading import say
from experiments.common.table_cells import MISSING, read_column, split_names, tell_decimal, tell_delimiter
from experiments.common.table_times import form_words, read_times, tell_time_form
from experiments.common.text import open_unpacked, read_file_text
from experiments.predictive_maintenance.engines import TOGETHER, Engine, all_good, gathered
from rnn_jax.checks import nearest
from rnn_jax.data import DataError, read_lines

TABLES = (".csv", ".tsv", ".tab")
"""How the names of tables with named columns end, packed or not."""
USUAL = {
    "unit": ("unit", "unit_id", "unit_number", "unit_nr", "engine", "engine_id", "machine", "machine_id", "machineid",
             "asset", "asset_id", "id"),
    "time": ("time", "cycle", "cycles", "time_cycles", "time_in_cycles", "timestamp", "datetime", "date"),
}  # fmt: skip
"""Names that columns have, in small letters."""
TOLD = ("rul", "remaining_useful_life", "time_to_failure", "ttf")
"""Those of columns that say when a unit fails, which is no sensor."""


class UnitColumns(NamedTuple):
    """Which columns of a table are which."""

    unit: str = ""
    """The column that names the unit; usual names are known."""
    time: str = ""
    """That of the time: numbers, or dates, which rise from row to row of a unit; usual names are known."""
    sensors: tuple[str, ...] = ()
    """By default all others."""
    settings: tuple[str, ...] = ()
    """That make operating conditions, in whole units; sensors are scaled in each of them."""
    rul: str = ""
    """Rows from the row of the table to the failure, where that is known."""

    @classmethod
    def of(cls, unit: str, time: str, sensors: str, settings: str, rul: str) -> "UnitColumns":
        """As they stand in a config: names with commas between them."""
        return cls(unit, time, tuple(split_names(sensors)), tuple(split_names(settings)), rul)


NUMBERED = UnitColumns()


def is_table(path: str | Path) -> bool:
    """Whether it is the name of a table with named columns."""
    return any(suffix.lower() in TABLES for suffix in Path(path).suffixes[-2:])


def read_units(path: str | Path, columns: UnitColumns = NUMBERED) -> tuple[list[Engine], list[str]]:
    """The units in a table, and the names of its sensors.

    Raises:
        DataError: see `UnitRows`; or there is no unit.
    """
    rows = UnitRows(str(path), columns)
    return all_good(path, rows), rows.sensors


class UnitRows:
    """The units of a table: iterate once, for each unit's name and its history, or the error why it has none.

    The rows of a unit stand together, in their order; one of which any cannot be read, or stands elsewhere, is an
    error as a whole. In standard input each comes as soon as its last row has, so that it is answered from the rows so
    far, and is an error where it goes on later.

    Args:
        file: its path; `"-"` for standard input.
        columns: of the table.

    Attributes:
        sensors: the names of their columns.

    Raises:
        DataError: the file cannot be read, is empty, or lacks a column.
    """

    def __init__(self, file: str, columns: UnitColumns = NUMBERED):
        self._whole = file != STANDARD_INPUT
        if file == STANDARD_INPUT:
            self.name = "standard input"
            lines: Iterator[str] = read_lines(open_unpacked(sys.stdin.buffer))
            begun = [next(lines, "")]
        else:
            self.name, whole = str(file), read_file_text(file)
            say(whole.notes)
            lines = iter(io.StringIO(whole.text.removeprefix("\ufeff"), newline=""))
            begun = list(itertools.islice(lines, 50))
        self.delimiter = tell_delimiter([line for line in begun if line.strip()])
        feed = itertools.chain(begun, lines)
        self._reader = csv.reader(feed, delimiter=self.delimiter, strict=True, skipinitialspace=True)
        header = next(self._rows(), (1, []))[1]
        if twice := [cell for i, cell in enumerate(header) if cell in header[:i]]:
            raise DataError(f"{self.name}, line 1: two columns are called {twice[0]!r}: give each a name of its own")
        self.header = header
        self._unit, self._time = (self._place(getattr(columns, what), what) for what in ("unit", "time"))
        self._settings = [self._place(name) for name in columns.settings]
        self._rul = self._place(columns.rul) if columns.rul else None
        others = {self._unit, self._time, *self._settings, self._rul}
        free = [name for i, name in enumerate(header) if i not in others]
        if told := [name for name in free if name.lower().replace(" ", "_") in TOLD and not columns.sensors]:
            say(f"note: {', '.join(told)} says what is to be predicted, and is not read; --sensors names what is")
            free = [name for name in free if name not in told]
        self.sensors = list(columns.sensors) or free
        if not self.sensors:
            raise DataError(f"{self.name}: no column is left for sensors: its columns are {', '.join(header)}")
        self._sensors = [self._place(name) for name in self.sensors]

    def _place(self, name: str, what: str = "") -> int:
        """Where a column stands; by the usual names where none is given."""
        if not name:
            known = [i for i, cell in enumerate(self.header) if cell.lower().replace(" ", "_") in USUAL[what]]
            if len(known) == 1:
                return known[0]
            raise DataError(
                f"{self.name}: say --{what} NAME, which of its columns has the {what}: {', '.join(self.header)}"
            )
        if name in self.header:
            return self.header.index(name)
        hint = nearest(name, self.header)
        raise DataError(f"{self.name} has no column {name!r}: {hint}its columns are {', '.join(self.header)}")

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """The line and the cells of each row that is not empty."""
        try:
            for cells in self._reader:
                if "".join(cells).strip():
                    yield self._reader.line_num, [cell.strip() for cell in cells]
        except csv.Error as error:
            at = f"{self.name}, line {self._reader.line_num}"
            raise DataError(f"{at}: {error}; quotes come in pairs, around a whole cell") from error

    def __iter__(self) -> Iterator[tuple[str, Engine | DataError]]:
        unit = lambda cells: cells[self._unit] if len(cells) > self._unit else ""  # noqa: E731
        for name, rows, apart in gathered(self._rows(), unit, whole=self._whole):
            try:
                if apart:
                    raise DataError(f"{self.name}, line {apart[0]}: unit {name} again; {TOGETHER}")
                yield name, self._history(name, rows)
            except DataError as error:
                yield name, error

    def _history(self, unit: str, rows: Sequence[tuple[int, list[str]]]) -> Engine:
        for line, cells in rows:
            if len(cells) != len(self.header):
                raise DataError(f"{self.name}, line {line}: {len(cells)} cells, expected {len(self.header)}")
            if not cells[self._unit]:
                column = self.header[self._unit]
                raise DataError(f"{self.name}, line {line}: column {column!r} is empty: which unit is it?")
        columns = list(zip(*(cells for _, cells in rows), strict=True))
        self._check_times(columns[self._time], [line for line, _ in rows])
        wanted = {self.header[i]: columns[i] for i in (*self._sensors, *self._settings)}
        if self._rul is not None:
            wanted[self.header[self._rul]] = columns[self._rul]
        decimal, _ = tell_decimal(wanted, self.delimiter, f"{self.name}, unit {unit}")
        numbers = {name: read_column(cells, decimal, MISSING) for name, cells in wanted.items()}
        for name, values in numbers.items():
            if not (finite := np.isfinite(values)).all():
                row = int(finite.argmin())
                raise DataError(
                    f"{self.name}, line {rows[row][0]}, column {name!r}: {wanted[name][row]!r} is no number; missing "
                    "values are not supported: give a number, or leave the unit or the column out"
                )
        sensors, settings = (
            np.stack([numbers[self.header[i]] for i in places], axis=1) if places else np.zeros((len(rows), 0))
            for places in (self._sensors, self._settings)
        )
        conditions = np.rint(settings).astype(int) if self._settings else np.zeros((len(rows), 1), int)
        rul = 0.0 if self._rul is None else float(numbers[self.header[self._rul]][-1])
        if rul < 0 or rul % 1:
            raise DataError(f"{self.name}, line {rows[-1][0]}: a RUL of {rul:g}; expected a whole number of rows")
        return Engine(unit, settings, sensors, int(rul), conditions, columns[self._time][-1])

    def _check_times(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Raise DataError where times do not rise."""
        times: np.ndarray | None = None
        with contextlib.suppress(ValueError):
            times = np.array(cells, object).astype(np.float64)
        at = lambda row: f"{self.name}, line {lines[row]}, column {self.header[self._time]!r}"  # noqa: E731
        if times is None or not np.isfinite(times).all():
            form = tell_time_form(cells, self.header[self._time])
            read, wrong = read_times(cells, form)
            if wrong is not None:
                raise DataError(f"{at(wrong)}: {cells[wrong]!r} is no number, nor {form_words(form)}")
            times = read.utc.astype(np.int64)
        if (late := np.diff(times) <= 0).any():
            row = int(late.argmax()) + 1
            raise DataError(f"{at(row)}: {cells[row]!r} after {cells[row - 1]!r}: the rows of a unit rise in time")
