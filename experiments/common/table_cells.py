"""What the cells of a table mean: what stands between them, how numbers are written, what is missing."""

import collections
import contextlib
import csv
import dataclasses
import functools
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

import numpy as np

from rnn_jax.data.download import DataError

MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "#n/a", "<na>", "nat"})
"""Cells that say that there is no value, in lower case."""
WORDS = frozenset({"na", "none"})
"""Those of them that mean something in a column of words: no offer, Namibia."""
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
LOOKED_AT = 50  # lines by which a delimiter is told
SPACES = "'\u2019 \u00a0\u202f"
"""What stands between thousands beside the point and the comma."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableConfig:
    """How a table of your own is written; what is not said is told from the file.

    Raises:
        ValueError: a value is not of the form that its description gives.
    """

    delimiter: str = ""
    """Between cells: comma, semicolon, tab, pipe or another character; by default told from the file."""
    decimal: str = ""
    """. or , before the decimals, the other one is then between thousands; by default told from the file."""
    time: str = ""
    """The column with the times, or several with commas between them, which are joined; by default the first one."""
    time_format: str = ""
    """Of the times, such as %d.%m.%Y %H:%M, or s, ms, us, ns since 1970; by default told from all times."""
    missing: str = ""
    """With commas: cells that say that there is no value, such as -999, beside empty ones, NaN, NA, N/A, null, none."""
    sort: bool = False
    """Put the rows in order of time first."""
    zone: str = ""
    """Of times without an offset from UTC, and of those that are given back, such as Europe/Berlin."""

    def __post_init__(self):
        if self.decimal not in ("", ".", ","):
            raise ValueError(f"decimal={self.decimal!r}: expected . or ,")
        if self.delimiter and len(self.character) != 1:
            raise ValueError(
                f"delimiter={self.delimiter!r}: expected {', '.join(DELIMITERS)} or a single other character"
            )
        if self.zone:
            try:
                ZoneInfo(self.zone)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError(f"zone={self.zone!r} is not known: expected one such as Europe/Berlin") from error

    def over(self, before: "TableConfig") -> "TableConfig":
        """What is said here, and where nothing is, what was said before, such as in training."""
        return dataclasses.replace(before, **{name: value for name, value in vars(self).items() if value})

    @property
    def character(self) -> str:
        """Between cells; "" where it is to be told from the file."""
        return DELIMITERS.get(self.delimiter, self.delimiter.replace("\\t", "\t"))


TOLD = TableConfig()
"""All is told from the file."""
PLAIN = TableConfig(delimiter=",", decimal=".")
"""Of files that are known: nothing is told from them."""


def split_names(listed: str) -> list[str]:
    """What stands between commas; quotes are around a name that has some itself."""
    cells = next(csv.reader([listed], skipinitialspace=True), [])
    return [cell.strip() for cell in cells if cell.strip()]


def join_names(names: Sequence[str]) -> str:
    """Names as `split_names` takes them apart, or one of them as it is."""
    if len(names) == 1:
        return names[0]
    csv.writer(text := io.StringIO(), lineterminator="").writerow(names)
    return text.getvalue()


def tell_delimiter(lines: Sequence[str]) -> str:
    """What stands between the cells of the first lines of a table, the header the first of them.

    A comma may be in a name or before decimals where something else parts the cells, so that it is the last to be
    thought of.
    """

    def counts(delimiter: str) -> list[int]:
        rows = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
        try:
            return [len(row) for row in rows if row]
        except csv.Error:
            return []

    found = {delimiter: counts(delimiter) for delimiter in ("\t", ";", "|", ",")}
    wide = {one: rows for one, rows in found.items() if rows and rows[0] > 1}
    if not wide:
        return ","

    def even(delimiter: str) -> float:
        return wide[delimiter].count(wide[delimiter][0]) / len(wide[delimiter])

    return max(wide, key=lambda one: (even(one) > 0.9, one != ",", even(one), wide[one][0]))


def split_cells(text: str, name: str, config: TableConfig) -> tuple[str, list[list[str]], list[int]]:
    """What stands between the cells, the cells of each column with its name first, and the line of each row.

    Raises:
        DataError: a line has too few cells or too many, or a quote has no other.
    """
    text = text.removeprefix("\ufeff")
    delimiter, skipped = config.character, 0
    if text[:4].lower() == "sep=" and len(text.partition("\n")[0].strip()) == 5:  # as spreadsheets write it
        delimiter, skipped = delimiter or text[4], 1
        text = text.partition("\n")[2]
    begun = text[:100_000].splitlines()
    begun = begun[:-1] if len(begun) > 1 and len(text) > 100_000 else begun  # the last one is cut
    delimiter = delimiter or tell_delimiter([line for line in begun[:LOOKED_AT] if line.strip()])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    flat, lines, width = list[str](), list[int](), 0  # a list for each row would take four times as long
    try:
        for cells in reader:
            if not cells or not (cells[0].strip() or "".join(cells).strip()):
                continue
            if len(cells) != width:
                if width:
                    raise DataError(
                        f"{name}, line {reader.line_num + skipped}: {len(cells)} cells, expected {width}, one for each "
                        "name in line 1; put quotes around a cell that has the delimiter in it"
                    )
                width = len(cells)
            flat += cells
            lines.append(reader.line_num + skipped)
    except csv.Error as error:
        raise DataError(
            f"{name}, line {reader.line_num + skipped}: {error}; quotes come in pairs, around a whole cell"
        ) from error
    columns = [flat[i::width] for i in range(width)]
    while len(columns) > 1 and not any(map(str.strip, columns[-1])):  # a delimiter ends each line
        columns.pop()
    return delimiter, columns, lines or [1]


@functools.cache
def number_form(decimal: str) -> re.Pattern[str]:
    """What a number looks like with that decimal mark; thousands may be parted, by one mark and all of them."""
    marks = f"{'.' if decimal == ',' else ','}{SPACES}"
    whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:([{marks}])\d{{3}}(?:\1\d{{3}})*))"
    return re.compile(rf"[+\-−]?(?:{whole}(?:[{decimal}]\d*)?|[{decimal}]\d+)(?:[eE][+\-]?\d+)?")


def read_number(cell: str, decimal: str) -> float:
    """The number in a cell; infinite where it is none."""
    found = number_form(decimal).fullmatch(cell)
    if found is None:
        return math.inf
    if (mark := found[1]) is not None:
        cell = cell.replace(mark, "")
    return float(cell.replace(decimal, ".").replace("−", "-"))


def read_column(cells: Sequence[str], decimal: str, missing: frozenset[str]) -> np.ndarray:
    """The numbers in stripped cells, float64 `[T]`: NaN where one is missing, infinite where a cell is no number."""
    filled = ["nan" if cell.lower() in missing else cell for cell in cells]
    values = None
    if decimal == "." and not set("".join(filled)).difference("0123456789.+-eEna"):
        with contextlib.suppress(ValueError):  # one of them is no number: which one is told below
            values = np.array(filled, object).astype(np.float64)
    if values is None:
        values = np.array([math.nan if cell == "nan" else read_number(cell, decimal) for cell in filled])
    for marker in missing:
        try:
            value = float(marker)
        except ValueError:
            continue
        values[values == value] = math.nan
    return values


def has_numbers(cells: Sequence[str], missing: frozenset[str]) -> bool:
    """Whether any of some stripped cells is a number, or all are missing."""
    known = [cell for cell in dict.fromkeys(cells) if cell.lower() not in missing]
    return not known or any(number_form(mark).fullmatch(cell) for cell in known for mark in ".,")


def read_categories(cells: Sequence[str], missing: frozenset[str]) -> tuple[list[str], np.ndarray]:
    """The different words in stripped cells, sorted, and the place of each cell in them, float64 `[T]`, or NaN."""
    words = sorted({cell for cell in cells if cell.lower() not in missing})
    places = {word: float(i) for i, word in enumerate(words)}
    return words, np.array([places.get(cell, math.nan) for cell in cells])


def tell_decimal(columns: Mapping[str, Iterable[str]], delimiter: str, name: str) -> tuple[str, list[str]]:
    """The decimal mark of the numbers of a table, and notes about what was assumed.

    Args:
        columns: their stripped cells, by the name of their column.
        delimiter: of the table.
        name: of the table, for messages.

    Raises:
        DataError: both marks are used, or either could be meant.
    """
    sure: dict[str, str] = {}
    unsure: list[tuple[str, str, str]] = []
    for column, cells in columns.items():
        kinds = collections.Counter[str]()
        either = plain = ""
        both = any("," in cell for cell in cells) and any("." in cell for cell in cells)
        for cell in dict.fromkeys(cells):
            if kinds and not both:
                break
            if "." not in cell and "," not in cell:
                plain = plain or (cell if cell.lstrip("+-").isdigit() else "")
                continue
            fits = [mark for mark in ".," if number_form(mark).fullmatch(cell)]
            if len(fits) == 1:
                sure.setdefault(fits[0], f"{cell!r} in {column!r}")
                kinds[fits[0]] += 1
            elif fits:
                either = either or cell
        if either and not kinds:
            unsure.append((column, either, plain))
    ask = "say --decimal . or --decimal ,"
    if len(sure) == 2:
        raise DataError(f"{name} has {sure['.']} and {sure[',']}: one of the two is no number; correct it, or {ask}")
    if sure:
        return next(iter(sure)), []
    usual, notes = "," if delimiter == ";" else ".", []
    for column, cell, plain in unsure:
        mark = "." if "." in cell else ","
        if plain or mark != usual:
            thousands, decimals = cell.replace(mark, ""), cell.replace(",", ".")
            beside = f" beside {plain!r}" if plain else ""
            other = "," if mark == "." else "."
            raise DataError(
                f"{name}: column {column!r} has {cell!r}{beside}, which may be {thousands} or {decimals}: say "
                f"--decimal {other} where {mark!r} parts thousands, --decimal {mark} where it is before decimals"
            )
        notes.append(f"{cell} in {column} was read with decimals; if {mark!r} parts thousands, {ask}")
    return usual, notes
