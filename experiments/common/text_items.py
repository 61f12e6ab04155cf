"""Texts to be answered: lines, or the rows of a table."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.common.columns import find_columns, find_text_column
from experiments.common.delimited import read_delimited
from experiments.common.prediction import STANDARD_INPUT, Item
from experiments.common.reading import say
from experiments.common.text import read_file_text
from rnn_jax.data import DataError, Subwords, Words, read_lines
from rnn_jax.data.vocabulary import ENGLISH_ENDING, ENGLISH_WORD, SPECIALS

TABLES = (".csv", ".tsv", ".tab")
"""How the names of tables end, packed or not."""


def read_texts(
    file: str, *, text_column: str = "", label_column: str = "", classes: Sequence[str] = (), labelled: bool = False
) -> Iterator[Item]:
    """The texts in a file: of a table (.csv, .tsv) its rows, else its lines, as those of standard input (`"-"`).

    Args:
        file: its path.
        text_column: the name of the column with the texts, or its number, from 1; usual names are known.
        label_column: that of the column with the labels.
        classes: the labels that there can be.
        labelled: whether each text has its label, in a table.

    Raises:
        DataError: the file cannot be read, or it is not clear which columns are meant.
    """
    is_table = any(suffix.lower() in TABLES for suffix in Path(file).suffixes[-2:]) or bool(text_column)
    if file == STANDARD_INPUT and labelled:
        raise DataError("standard input: labelled texts come from a file, a table with a text and its label in a row")
    if file != STANDARD_INPUT and (is_table or labelled):
        yield from _rows(file, text_column, label_column, classes, labelled)
        return
    for number, line in numbered_lines(file):
        yield Item(number, line.strip() or DataError("the line is empty: expected a text"))


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
    header = table.rows[0].cells
    if labelled:
        columns = find_columns(file, table, text_column, label_column, classes)
        text, label, named = columns.text, columns.label, columns.header
        say(f"{file}: {columns.how}")
    else:
        text, named = find_text_column(file, table, text_column)
        label = None
    ids = next((i for i, name in enumerate(header) if named and name.lower() == "id"), None)
    for line, cells in table.rows[named:]:
        whole = len(cells) == len(header)
        name = cells[ids] if whole and ids is not None else line
        if not whole or not cells[text]:
            what = "the text is empty" if whole else f"{len(cells)} columns, not {len(header)}"
            yield Item(name, DataError(f"line {line}: {what}"))
            continue
        if label is not None and cells[label] not in classes:
            error = DataError(f"line {line}: label {cells[label]!r} is none of the model's, {', '.join(classes)}")
            yield Item(name, error)
        else:
            yield Item(name, cells[text], None if label is None else cells[label])


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
