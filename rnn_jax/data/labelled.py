"""The user's own labelled texts: a file with a label and a text in each row."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn_jax.data.download import DataError
from rnn_jax.data.text import read_text


class LabelledTexts(NamedTuple):
    """Texts with the numbers of their classes."""

    texts: list[str]
    labels: np.ndarray
    """int32 `[N]`, places in `classes`."""
    classes: list[str]
    """The labels as the file has them, sorted."""


def read_labelled(path: str | Path, known: Sequence[str] = ()) -> LabelledTexts:
    """Read labelled texts from a UTF-8 file.

    A file `*.csv` has commas between its columns, and quotes as spreadsheets write them; any other file has a tab
    between its columns, and nothing is quoted. If a cell of the first row is `label` or `text`, the row is a header
    that says where these two columns stand, beside any others; without one each row is a label and a text.

    Args:
        path: of the file.
        known: the classes of a trained model, in its order; by default they are the labels that the file has.

    Raises:
        DataError: the file cannot be read, is not UTF-8, lacks a column, has an empty line, label or text, a
            label that is not known, or fewer than two classes; the message names the line.
    """
    path = Path(path)
    rows = _rows(path)
    header = [cell.strip().lower() for cell in rows[0][1]]
    named = {"label", "text"} & set(header)
    if missing := {"label", "text"} - named if named else set():
        raise DataError(f"{path}, line 1: the header {header} has no column {missing.pop()!r}: expected label and text")
    places = (header.index("label"), header.index("text")) if named else (0, 1)
    columns = len(header) if named else 2
    texts, labels = [], []
    for number, row in rows[1 if named else 0 :]:
        if len(row) != columns:
            raise DataError(f"{path}, line {number}: {len(row)} columns, expected {columns}: {','.join(row)[:60]!r}")
        label, text = (row[place].strip() for place in places)
        if not label or not text:
            raise DataError(f"{path}, line {number}: the {'text' if label else 'label'} is empty")
        if known and label not in known:
            raise DataError(f"{path}, line {number}: label {label!r} is none of the model's, {', '.join(known)}")
        texts.append(text)
        labels.append(label)
    classes = list(known) or sorted(set(labels))
    if len(classes) < 2:
        raise DataError(f"{path} has {len(texts)} rows with the labels {classes}: expected at least two different ones")
    return LabelledTexts(texts, np.array([classes.index(label) for label in labels], np.int32), classes)


def split_labelled(data: LabelledTexts) -> dict[str, tuple[list[str], np.ndarray]]:
    """Divide texts for an experiment: 80 % train, 10 % validation, 10 % test, by one fixed shuffling.

    Raises:
        DataError: there are fewer than ten.
    """
    count = len(data.texts)
    if count < 10:
        raise DataError(f"{count} labelled texts: expected at least 10, for training, validation and test")
    order = np.random.default_rng(0).permutation(count)
    tenth = max(1, count // 10)
    parts = {"validation": order[:tenth], "test": order[tenth : 2 * tenth], "train": order[2 * tenth :]}
    return {name: ([data.texts[i] for i in part], data.labels[part]) for name, part in parts.items()}


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The number of the line and the cells of each row."""
    text = read_text(path)
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if empty := [number for number, line in enumerate(lines, 1) if not line.strip()]:
        raise DataError(f"{path}, line {empty[0]}: the line is empty; remove it, or give it a label and a text")
    if path.suffix.lower() != ".csv":
        return [(number, line.split("\t")) for number, line in enumerate(lines, 1)]
    limit = csv.field_size_limit(2**31 - 1)  # a long text is no error
    reader = csv.reader((line + "\n" for line in lines), strict=True)
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from error
    finally:
        csv.field_size_limit(limit)
