"""Tables of text: rows of cells, whatever stands between them."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.common.text import FileText, read_file_text
from rnn_jax.data import DataError

DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
"""What may stand between cells, and its name."""


class Row(NamedTuple):
    """A row of a table."""

    line: int
    """Where it begins in the file, from 1."""
    cells: list[str]
    """Without blanks around them."""


class Delimited(NamedTuple):
    """The rows of a table."""

    rows: list[Row]
    delimiter: str
    file: FileText

    @property
    def form(self) -> str:
        """Encoding, packing and delimiter in words."""
        return f"{self.file.form}, {DELIMITERS[self.delimiter]} between columns"


def read_delimited(path: str | Path, *, tabs: bool = False, empty: bool = False) -> Delimited:
    """The rows of a file with tabs, commas, semicolons or bars between cells: what makes rows of equally many cells.

    Quotes around a cell are as spreadsheets write them: it may hold delimiters, line breaks and empty lines. Where tabs
    stand between cells, quotes are letters as others, unless rows come out wrong without them. Empty rows at the end
    are left out.

    Args:
        path: of the file.
        tabs: whether nothing but tabs stands between cells, and quotes are letters.
        empty: whether there may be empty lines between rows: rows of one empty cell.

    Raises:
        DataError: the file cannot be read, has an empty line between rows, or a quote without its partner.
    """
    file = read_file_text(path)
    text = file.text.replace("\r\n", "\n")
    text = text if "\n" in text else text.replace("\r", "\n")
    if re.match(r'\s*[\[{]+\s*"\w+"\s*:', text):
        raise DataError(
            f"{path} is JSON: expected a table; pandas.read_json(FILE, lines=True).to_csv(OTHER, index=False) makes one"
        )
    limit = csv.field_size_limit(2**31 - 1)  # a long text is no error
    try:
        delimiter = "\t" if tabs else _find_delimiter(text, _candidates(path))
        rows = _lines(text) if delimiter == "\t" else _parsed(text, delimiter, path)
        if delimiter == "\t" and not tabs and '"' in text and _needs_quotes(rows):
            rows = _quoted_or(rows, text)
    finally:
        csv.field_size_limit(limit)
    rows = [Row(line, [cell.strip() for cell in cells]) for line, cells in rows]
    while rows and not any(rows[-1].cells):
        rows.pop()
    if not rows:
        raise DataError(f"{path} has no rows: it is empty but for line breaks")
    if not empty and (blank := next((row for row in rows if row.cells in ([], [""])), None)):
        raise DataError(f"{path}, line {blank.line}: the line is empty; remove it, or put quotes around the whole cell")
    return Delimited(rows, delimiter, file)


def _candidates(path: str | Path) -> Sequence[str]:
    """The delimiters, the likeliest first by the file's name."""
    return ",;\t|" if ".csv" in "".join(Path(path).suffixes[-2:]).lower() else "\t,;|"


def _find_delimiter(text: str, candidates: Sequence[str]) -> str:
    def regular(delimiter: str) -> float:
        """The share of rows that have the most frequent number of cells, if that is two or more."""
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        widths = Counter(len(cells) for cells in reader if cells)
        del widths[1]
        return max(widths.values(), default=0) / lines

    sample = text if len(text) < 2**18 else text[: 2**18].rpartition("\n")[0]
    lines = max(1, sample.count("\n"))
    return max(candidates, key=regular)


def _lines(text: str) -> list[Row]:
    return [Row(number, line.split("\t")) for number, line in enumerate(text.split("\n"), 1)]


def _parsed(text: str, delimiter: str, path: str | Path) -> list[Row]:
    reader, rows, line = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [], 1
    try:
        for cells in reader:
            rows.append(Row(line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: {error}; quotes come in pairs, around a whole cell") from error
    return rows


def _needs_quotes(rows: Sequence[Row]) -> bool:
    """Whether rows of different lengths, or doubled quotes in quotes, say that quotes are no letters."""
    if len({len(cells) for _, cells in rows if cells != [""]}) > 1:
        return True
    cells = (cell for _, cells in rows for cell in cells if cell[:1] == cell[-1:] == '"')
    return any('""' in cell[1:-1] for cell in cells)


def _quoted_or(rows: list[Row], text: str) -> list[Row]:
    """The rows with quotes around cells, if they are of one length; else those that there are."""
    try:
        quoted = _parsed(text, "\t", "")
    except DataError:
        return rows
    return quoted if len({len(cells) for _, cells in quoted if cells}) == 1 else rows
