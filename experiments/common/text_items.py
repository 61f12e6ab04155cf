"""Texts to be answered: lines, the rows of a table, or lines of JSON."""

import csv
import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.common.columns import LABELS, TEXTS, find_columns, find_text_column
from experiments.common.delimited import DELIMITERS, Row, read_delimited
from experiments.common.prediction import STANDARD_INPUT, Item
from experiments.common.reading import say
from experiments.common.text import open_unpacked, read_file_text
from rnn_jax.data import DataError, Subwords, Words, read_lines
from rnn_jax.data.vocabulary import ENGLISH_ENDING, ENGLISH_WORD, SPECIALS

TABLES = (".csv", ".tsv", ".tab")
"""How the names of tables end, packed or not."""
JSON_LINES = (".json", ".jsonl", ".ndjson")
"""How those of JSON end."""


def read_texts(
    file: str,
    *,
    text_column: str = "",
    label_column: str = "",
    classes: Sequence[str] = (),
    labelled: bool = False,
    table: bool = False,
) -> Iterator[Item]:
    """The texts in a file, or in standard input (`"-"`) as they come: the rows of a table, objects of JSON, or lines.

    A table is what is named so (.csv, .tsv), or what begins with a header in which the column of the texts is; JSON is
    an object a line.

    Args:
        file: its path.
        text_column: the name of the column with the texts, or its number, from 1; usual names are known.
        label_column: that of the column with the labels.
        classes: the labels that there can be.
        labelled: whether each text has its label, in a table.
        table: whether standard input must be a table, for its user names the column.

    Raises:
        DataError: the file cannot be read, or it is not clear which columns are meant.
    """
    suffixes = {suffix.lower() for suffix in Path(file).suffixes[-2:]}
    if file == STANDARD_INPUT:
        if labelled:
            raise DataError(
                "standard input: labelled texts come from a file, a table with a text and its label in a row"
            )
        yield from stream_texts(read_lines(open_unpacked(sys.stdin.buffer)), text_column, table)
        return
    whole = read_file_text(file)
    lines = whole.text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    first = next(filter(str.strip, lines), "")
    if is_json(first) or suffixes & set(JSON_LINES):
        say(whole.notes)
        yield from _objects(lines, file, text_column, label_column, classes if labelled else None)
    elif suffixes & set(TABLES) or text_column or labelled or header_of(first, text_column):
        yield from _rows(file, text_column, label_column, classes, labelled)
    else:
        yield from _lines(line for _, line in numbered_lines(file))


def stream_texts(lines: Iterable[str], text_column: str = "", table: bool = False) -> Iterator[Item]:
    """The texts in lines of standard input, as they come; see `read_texts`."""
    source, lines = "standard input", iter(lines)
    skipped = list(itertools.takewhile(lambda line: not line.strip(), _noting(lines, seen := [])))
    first = seen[-1] if len(seen) > len(skipped) else ""
    whole = itertools.chain(seen, lines)
    if is_json(first):
        yield from _objects(whole, source, text_column)
    elif found := header_of(first, text_column):
        delimiter, header, text = found
        say(f"note: {source}: the first line is the header of a table; its column {header[text]!r} has the texts")
        yield from _items(_streamed(whole, delimiter, header=True), header, text, None, source, ())
    elif table and first and text_column.isdigit():
        place = int(text_column) - 1
        counts = {mark: len(next(csv.reader([first], delimiter=mark), [])) for mark in DELIMITERS}
        delimiter = max(counts, key=lambda mark: counts[mark])
        if not 0 <= place < counts[delimiter]:
            raise DataError(f"{source}: no column {text_column}: its first line is {first[:60]!r}")
        yield from _items(_streamed(whole, delimiter), [""] * counts[delimiter], place, None, source, ())
    elif table and first:
        raise DataError(f"{source}: no column {text_column!r}: its first line is {first[:60]!r}")
    else:
        yield from _lines(whole)


def _noting(lines: Iterable[str], seen: list[str]) -> Iterator[str]:
    for line in lines:
        seen.append(line)
        yield line


def _lines(lines: Iterable[str]) -> Iterator[Item]:
    for number, line in enumerate(lines, 1):
        yield Item(number, line.strip() or DataError("the line is empty: expected a text"))


def header_of(line: str, text_column: str = "") -> tuple[str, list[str], int] | None:
    """What a line is as the header of a table: the delimiter, the columns, and the place of that with the texts.

    None where it is none: it has no column `text_column`, nor another name that is known. In a sentence, which may
    begin with such a word, blanks follow commas.
    """
    for delimiter in DELIMITERS:
        cells = next(csv.reader([line], delimiter=delimiter), [])
        header = [cell.strip() for cell in cells]
        if text_column and text_column in header:
            return delimiter, header, header.index(text_column)
        names = [name.lower().replace(" ", "_").replace("-", "_") for name in header]
        plain = all(re.fullmatch(r"\w[\w .-]{0,39}", cell) for cell in cells) and len(set(names)) == len(names)
        usual = next((name for name in TEXTS if name in names), None)
        if len(names) > 1 and plain and usual:
            return delimiter, header, names.index(usual)
    return None


def _streamed(lines: Iterable[str], delimiter: str, header: bool = False) -> Iterator[Row]:
    """The rows of a table, as they come, without its header."""
    csv.field_size_limit(2**31 - 1)  # a long text is no error
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader, line, begun = csv.reader((f"{one}\n" for one in lines), delimiter=delimiter, quoting=quoting), 1, not header
    try:
        for cells in reader:
            row = Row(line, [cell.strip() for cell in cells])
            line = reader.line_num + 1
            if begun:
                yield row
            begun = begun or any(row.cells)
    except csv.Error as error:
        raise DataError(f"standard input, line {line}: {error}") from error


def is_json(line: str) -> bool:
    """Whether the first line of a file begins JSON."""
    line = line.strip()
    if line in ("[", "{", "[{"):
        return True
    try:
        found = json.loads(line)
        return isinstance(found, dict) or (isinstance(found, list) and any(isinstance(one, dict) for one in found))
    except ValueError:
        return bool(re.match(r'[\[{]+\s*"\w+"\s*:', line))


def _objects(
    lines: Iterable[str], source: str, text_column: str, label_column: str = "", classes: Sequence[str] | None = None
) -> Iterator[Item]:
    """The texts in lines of JSON, an object each; labelled where there are `classes`."""
    blank, named = 0, False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            blank += 1
            continue
        found: Any
        try:
            found = json.loads(line)
        except ValueError as error:
            found = error
        if number == blank + 1:
            named = isinstance(found, dict) and "id" in found
        if number == blank + 1 and not isinstance(found, dict):
            raise DataError(
                f"{source}, line {number}: this is no object of JSON a line: expected lines such as "
                '{"text": "..."}; pandas.read_json(FILE).to_json(OTHER, orient="records", lines=True) makes them'
            )
        name: str | int = f"line {number}" if named else number
        try:
            if not isinstance(found, dict):
                raise DataError(f"line {number}: expected an object of JSON")
            text = _field(found, text_column, TEXTS, "text", number)
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"line {number}: the text is {text!r}: expected one in quotes")
            label = None
            if classes is not None:
                label = str(_field(found, label_column, LABELS, "label", number))
                if label not in classes:
                    raise DataError(f"line {number}: label {label!r} is none of the model's, {', '.join(classes)}")
            own = found.get("id")
            yield Item(own if named and isinstance(own, str | int) and own != "" else name, text.strip(), label)
        except DataError as error:
            yield Item(name, error)
    _say_blank(source, blank)


def _field(found: Mapping[str, Any], asked: str, usual: Sequence[str], what: str, number: int) -> Any:
    names = {name.lower().replace(" ", "_").replace("-", "_"): name for name in found}
    name = asked if asked in found else next((names[one] for one in usual if one in names), None)
    if name is None or (asked and asked not in found and not asked.isdigit()):
        raise DataError(
            f"line {number}: no field {asked or what!r}: it has {', '.join(found)}; --{what}-column NAME says which "
            f"one has the {what}s"
        )
    return found[name]


def numbered_lines(file: str) -> Iterator[tuple[int, str]]:
    """The lines of a file, or of standard input (`"-"`) as they come, each with its number; blanks stay.

    Raises:
        DataError: it cannot be read.
    """
    if file == STANDARD_INPUT:
        yield from enumerate(read_lines(sys.stdin.buffer), 1)
        return
    whole = read_file_text(file)
    say(whole.notes)
    for number, line in enumerate(whole.text.removesuffix("\n").split("\n"), 1):
        yield number, line.removesuffix("\r")


def _rows(file: str, text_column: str, label_column: str, classes: Sequence[str], labelled: bool) -> Iterator[Item]:
    table = read_delimited(file, empty=True)
    say(table.file.notes)
    blank = [row for row in table.rows if not any(row.cells) and len(row.cells) < 2]
    table = table._replace(rows=[row for row in table.rows if any(row.cells) or len(row.cells) > 1])
    header = table.rows[0].cells
    if labelled:
        columns = find_columns(file, table, text_column, label_column, classes)
        text, label, named = columns.text, columns.label, columns.header
        say(f"{file}: {columns.how}")
    else:
        text, named = find_text_column(file, table, text_column, classes)
        label = None
    _say_blank(file, len(blank))
    yield from _items(table.rows[named:], header if named else [""] * len(header), text, label, file, classes)


def _say_blank(source: str, count: int) -> None:
    if count:
        say(f"note: {source}: {count:,} empty lines are passed over")


def _items(
    rows: Iterable[Row], header: Sequence[str], text: int, label: int | None, source: str, classes: Sequence[str]
) -> Iterator[Item]:
    """Rows of a table as items, named by a column `id`, or else by their lines."""
    ids = next((i for i, name in enumerate(header) if name.lower() == "id"), None)
    blank = 0
    for line, cells in rows:
        if not any(cells) and len(cells) < 2:
            blank += 1
            continue
        whole = len(cells) == len(header)
        # The number alone would look like the id of another row.
        name: str | int = line if ids is None else f"line {line}"
        if whole and ids is not None and cells[ids]:
            name = cells[ids]
        if not whole or not cells[text]:
            what = "the text is empty" if whole else f"{len(cells)} columns, not {len(header)}"
            yield Item(name, DataError(f"line {line}: {what}"))
        elif label is not None and cells[label] not in classes:
            error = DataError(f"line {line}: label {cells[label]!r} is none of the model's, {', '.join(classes)}")
            yield Item(name, error)
        else:
            yield Item(name, cells[text], None if label is None else cells[label])
    _say_blank(source, blank)


WORD_RULE = {
    "text": "in lower case if `lower`, then in Unicode's form NFC, with ' for ’",
    "a blank is put where this matches": ENGLISH_ENDING.pattern,
    "a word is what this matches": ENGLISH_WORD.pattern,
    "regular expressions": "of Python, whatever the case",
}
"""How texts are cut into words."""


def tokenizer_in_words(tokenizer: Words | Subwords) -> dict[str, Any]:
    """All of a tokenizer in JSON's types, so that another program can cut texts as it does."""
    state = json.loads(tokenizer.to_json())
    if isinstance(tokenizer, Subwords):
        return {"format": "tokenizer.json of Hugging Face tokenizers; no special tokens around a text", **state}
    return {
        "format": "words",
        **WORD_RULE,
        "ids": "places among the specials and then the words; 1 is any other word",
        "specials": list(SPECIALS),
        **state,
    }
