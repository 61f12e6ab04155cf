"""Which columns of a table have the texts and which the labels: by their names, or by what is in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.common.delimited import Delimited
from rnn_jax.checks import nearest
from rnn_jax.data import DataError

TEXTS = (
    "text", "texts", "review", "reviews", "sentence", "sentences", "comment", "comments", "tweet", "body", "content",
    "message", "document", "review_text", "reviewtext", "review_body", "tweet_text", "utterance", "phrase", "post",
    "sequence", "seq",
)  # fmt: skip
"""Names of columns that hold texts, the likeliest first."""
LABELS = (
    "label", "labels", "sentiment", "class", "category", "target", "polarity", "stars", "star_rating", "rating",
    "score", "airline_sentiment", "emotion", "feeling", "topic", "intent",
)  # fmt: skip
"""Names of columns that hold labels, the likeliest first."""


class Columns(NamedTuple):
    """Where a table has its texts and its labels."""

    header: bool
    """Whether the first row has names of columns."""
    text: int
    label: int
    how: str
    """In words."""


def find_columns(
    path: str | Path, table: Delimited, text_column: str = "", label_column: str = "", known: Sequence[str] = ()
) -> Columns:
    """The columns of a table that are asked for, that have usual names, or else that look like texts and labels.

    Raises:
        DataError: there is no such column, or it is not clear which one is meant, or whether the first row is a header.
    """
    first, line = table.rows[0].cells, table.rows[0].line
    if len(first) < 2:
        raise DataError(f"{path}, line {line}: 1 columns, expected 2: {','.join(first)[:60]!r}")
    found = {"text": _known(table, TEXTS), "label": _known(table, LABELS)}
    if not text_column and not label_column:
        usual = any(place is not None for place in found.values())
        return _named(path, table, found) if usual else _unnamed(path, table, known)
    header, places = all(place is not None for place in found.values()), {}
    for what, column in {"text": text_column, "label": label_column}.items():
        if column in first:
            places[what], header = first.index(column), True
        elif column.isdigit() and 1 <= int(column) <= len(first):
            places[what] = int(column) - 1
        elif column:
            raise _no_column(path, table, column)
    for what, other in (("text", "label"), ("label", "text")):
        if what not in places:
            usual = found[what] if found[what] != places[other] else None
            if usual is None and len(first) > 2:
                raise DataError(
                    f"{path} has {len(first)} columns, {first}: --{what}-column NAME says which one has the {what}s"
                )
            places[what] = usual if usual is not None else 1 - places[other]
    text, label = places["text"], places["label"]
    if text == label:
        raise DataError(f"{path}: column {first[text]!r} cannot have both texts and labels")
    if not header and not known:
        _refuse_header(path, table, text, label)
    return Columns(header, text, label, _how(first if header else [], text, label))


def find_text_column(
    path: str | Path, table: Delimited, text_column: str = "", known: Sequence[str] = ()
) -> tuple[int, bool]:
    """The column of a table that has the texts, where no labels are asked for, and whether the first row is a header.

    Of two columns without a header, it is the one beside that with `known` labels.

    Raises:
        DataError: there is no such column, or it is not clear which one is meant.
    """
    first, usual = table.rows[0].cells, _known(table, TEXTS)
    if text_column in first and text_column:
        return first.index(text_column), True
    if text_column.isdigit() and 1 <= int(text_column) <= len(first):
        return int(text_column) - 1, usual is not None
    if text_column:
        raise _no_column(path, table, text_column)
    if usual is None and len(first) == 2:
        counts = [sum(len(cells) == 2 and cells[k] in known for _, cells in table.rows) for k in (0, 1)]
        if max(counts) > 0 and counts[0] != counts[1]:
            return counts.index(min(counts)), False
    if usual is None and len(first) > 1:
        raise DataError(
            f"{path} has {len(first)} columns, {first}: --text-column NAME, or a number from 1, says which one has the "
            "texts"
        )
    return usual or 0, usual is not None


def _no_column(path: str | Path, table: Delimited, column: str) -> DataError:
    line, first = table.rows[0]
    return DataError(f"{path}, line {line}: no column {column!r}: {nearest(column, first)}its columns are {first}")


def _named(path: str | Path, table: Delimited, found: Mapping[str, int | None]) -> Columns:
    """The columns by the usual names in a header."""
    (line, header), (text, label) = table.rows[0], (found["text"], found["label"])
    if text is None or label is None:
        lacks = "text" if text is None else "label"
        raise DataError(
            f"{path}, line {line}: the header {header} has no column {lacks!r}, nor another name that is known: "
            f"--{lacks}-column NAME says which one has the {lacks}s"
        )
    return Columns(True, text, label, _how(header, text, label))


def _unnamed(path: str | Path, table: Delimited, known: Sequence[str]) -> Columns:
    """Which of two columns without a header has the labels: that with known ones, or with fewer different values."""
    first, line = table.rows[0].cells, table.rows[0].line
    if len(first) != 2:
        raise DataError(
            f"{path}, line {line}: {len(first)} columns, expected 2, or a header with names such as text and label; "
            f"--text-column and --label-column take a name, or a number from 1: {table.delimiter.join(first)[:60]!r}"
        )
    columns = [[row.cells[k] for row in table.rows if len(row.cells) == 2] for k in (0, 1)]
    if known:
        label = int(sum(c in known for c in columns[1]) > sum(c in known for c in columns[0]))
    else:
        label = int(len(set(columns[1])) < len(set(columns[0])))
        _refuse_header(path, table, 1 - label, label)
    return Columns(False, 1 - label, label, _how([], 1 - label, label))


def _refuse_header(path: str | Path, table: Delimited, text: int, label: int) -> None:
    """Raise DataError where the label in the first row is in no other one, as the name of a column is."""
    line, first = table.rows[0]
    others = sum(len(cells) > label and cells[label] == first[label] for _, cells in table.rows[1:])
    if len(table.rows) >= 10 and not others:
        raise DataError(
            f"{path}, line {line}: {first[label][:40]!r} is in no other row. If the line is a header, name its "
            f"columns: --text-column {first[text][:40]!r} --label-column {first[label][:40]!r}; if it is data, its "
            "class has one text, too few: add some, or remove the line"
        )


def _known(table: Delimited, names: Sequence[str]) -> int | None:
    """The column whose name in the first row is the likeliest of some; none whose name is a value further down, too."""
    first = [cell.lower().replace(" ", "_").replace("-", "_") for cell in table.rows[0].cells]
    for name in names:
        if name in first:
            place = first.index(name)
            value = table.rows[0].cells[place]
            others = (cells for _, cells in table.rows[1:] if cells != table.rows[0].cells)
            if not any(len(cells) > place and cells[place] == value for cells in others):
                return place
    return None


def _how(header: Sequence[str], text: int, label: int) -> str:
    if header:
        return f"text in column {header[text]!r}, label in column {header[label]!r}"
    return f"no header; text in column {text + 1}, label in column {label + 1}"
