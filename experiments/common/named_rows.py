"""Rows of a small table whose columns have names: the labels of recordings, the points of tracks and of strokes."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rnn_jax.data.download import DataError
from rnn_jax.data.text import read_text

DELIMITERS = (",", ";", "\t")


class NamedRows(NamedTuple):
    """A table."""

    columns: list[str]
    """Their names as the first line has them, without spaces around."""
    rows: list[tuple[int, dict[str, str]]]
    """The line in which each row ends, and its cells by column, without spaces around."""


def read_named_rows(
    path: str | Path, needed: Sequence[str], optional: Sequence[str], what: str, text: str | None = None
) -> NamedRows:
    """Read a table whose first line has the names of its columns.

    Cells stand apart by commas, or by semicolons or tabs where the first line has no comma; quotes are as spreadsheets
    write them, and empty lines are skipped. Columns are found whatever the case of their letters.

    Args:
        path: of the file.
        needed: columns that there must be.
        optional: columns that there may be, beside any others.
        what: the file should be, for messages.
        text: of the table, where it is no file; `path` is then its name.

    Raises:
        DataError: the file cannot be read, a needed column is missing, two columns have one name, or a row has more or
            fewer cells than the first line; the message gives the line.
    """
    text = read_text(path) if text is None else text
    head = (text.splitlines() or [""])[0]
    delimiter = next((mark for mark in DELIMITERS if mark in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    rows = []
    limit = csv.field_size_limit(2**31 - 1)  # a long text is no error
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not header:
                header = _header(path, cells, needed, optional, what)
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells, expected {len(header)}, as the first line "
                    f"has; a cell with a {delimiter!r} in it needs quotes"
                )
            rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; quotes come in pairs, around a cell") from error
    finally:
        csv.field_size_limit(limit)
    return NamedRows(header or _header(path, [], needed, optional, what), rows)


def _header(path: str | Path, cells: list[str], needed: Sequence[str], optional: Sequence[str], what: str) -> list[str]:
    """The names of the columns, those that are known as the caller writes them."""
    by_case = {name.casefold(): name for name in (*needed, *optional)}
    header = [by_case.get(cell.casefold(), cell) for cell in cells]
    if twice := next((name for i, name in enumerate(header) if name in header[:i]), None):
        raise DataError(f"{path}, line 1: two columns are called {twice!r}: give each a name of its own")
    for column in needed:
        if column not in header:
            raise DataError(f"{path} has no column {column!r}: its first line is {','.join(cells)!r}; expected {what}")
    return header
