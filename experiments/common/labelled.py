"""The user's own labelled texts: a table with a text and its label in each row, and its parts."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.common.columns import Columns, find_columns
from experiments.common.delimited import Delimited, read_delimited
from experiments.common.splitting import TENTHS, number_groups, repeated, split_groups
from experiments.common.text import normal_form
from rnn_jax.data import DataError

FEW = 10
"""Texts of a class, of which fewer are said to be too few."""
NO_LABELS = {"na", "n/a", "nan", "null", "none", "unknown", "?", "-"}
"""What stands in a table where a label is missing."""


class LabelledTexts(NamedTuple):
    """Texts with the numbers of their classes."""

    texts: list[str]
    labels: np.ndarray
    """int32 `[N]`, places in `classes`."""
    classes: list[str]
    """The labels as the file has them, sorted."""
    said: Sequence[str] = ()
    """What was read and how, and what is odd about it, in lines."""


def read_labelled(
    path: str | Path, *, text_column: str = "", label_column: str = "", known: Sequence[str] = ()
) -> LabelledTexts:
    """Read labelled texts from a table, in any encoding and packing of `read_file_text`, any form of `read_delimited`.

    The first row is a header where it has usual names of a column of texts and of one of labels, or those that are
    asked for. Without a header there are two columns, and the one with fewer different values has the labels.

    Args:
        path: of the file.
        text_column: the name of the column with the texts, or its number, from 1.
        label_column: that of the column with the labels.
        known: the classes of a trained model, in its order; by default they are the labels that the file has.

    Raises:
        DataError: the file cannot be read, it is not clear which columns are meant, a row has too few or too many of
            them, a text or a label is empty, a label is not known, there are fewer than two classes, or more than a
            tenth of the rows. The message names the line or the column, and the remedy.
    """
    table = read_delimited(path)
    columns = find_columns(path, table, text_column, label_column, known)
    width, texts, labels = len(table.rows[0].cells), [], []
    for line, cells in table.rows[columns.header :]:
        if len(cells) != width:
            raise DataError(
                f"{path}, line {line}: {len(cells)} columns, expected {width}: {table.delimiter.join(cells)[:60]!r}; "
                "a text that holds what stands between columns needs quotes around it"
            )
        if columns.header and cells == table.rows[0].cells:
            raise DataError(f"{path}, line {line}: the header stands here once more: remove the line")
        label, text = cells[columns.label], cells[columns.text]
        if not label or not text:
            raise DataError(f"{path}, line {line}: the {'text' if label else 'label'} is empty: fill or remove the row")
        if known and label not in known:
            raise DataError(f"{path}, line {line}: label {label!r} is none of the model's, {', '.join(known)}")
        texts.append(text)
        labels.append(label)
    classes = list(known) or sorted(set(labels))
    _check_swallowed(path, table, columns, classes)
    if not known:
        check_classes(str(path), labels, "--label-column NAME names the column with the labels")
    numbers = {label: i for i, label in enumerate(classes)}
    said = [f"{path}: {len(texts):,} rows ({table.form}); {columns.how}", *table.file.notes]
    if not known:
        said += [f"classes: {class_counts(labels)}", *odd_classes(labels)]
    return LabelledTexts(texts, np.array([numbers[label] for label in labels], np.int32), classes, said)


def check_classes(name: str, labels: Sequence[str], remedy: str) -> None:
    """Raise DataError where labels are of one class, or of more classes than a tenth of them, and two."""
    counts = Counter(labels)
    if len(counts) < 2:
        raise DataError(
            f"{name} has {len(labels):,} rows with the labels {sorted(counts)}: expected at least two different ones"
        )
    if len(counts) > max(2, len(labels) / 10):
        some = ", ".join(repr(label[:40]) for label in list(counts)[:3])
        raise DataError(
            f"{name}: {len(counts):,} classes in {len(labels):,} rows, such as {some}: expected at most a tenth as "
            f"many classes as rows. {remedy}; numbers have to be put into a few classes first"
        )


def class_counts(labels: Sequence[str], most: int = 10) -> str:
    """The classes with their counts, the most frequent ones of many."""
    counts = Counter(labels)
    named = [f"{label} {count:,}" for label, count in sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:most]]
    return ", ".join([*named, *([f"and {len(counts) - most:,} more"] if len(counts) > most else [])])


def odd_classes(labels: Sequence[str]) -> list[str]:
    """Notes on classes that differ in case or blanks only, and on labels that look like missing ones."""
    counts, alike = Counter(labels), defaultdict(list)
    for label in sorted(counts):
        alike["".join(label.casefold().split())].append(label)
    notes = [
        f"note: the classes {' and '.join(map(repr, same))} differ in case or blanks only, and are taken as "
        f"{len(same)} classes: write them alike in the file if they are one"
        for same in alike.values()
        if len(same) > 1
    ]
    missing = [label for label in counts if label.lower() in NO_LABELS]
    return notes + [
        f"note: {counts[label]:,} rows have the label {label!r}, taken as a class: remove them if they have none"
        for label in missing
    ]


def split_labelled(data: LabelledTexts, seed: int = 0) -> tuple[dict[str, np.ndarray], list[str]]:
    """Divide texts: 80 % train, 10 % validation, 10 % test, stratified by class; equal texts stay together.

    Case, punctuation and blanks make no difference between texts.

    Returns:
        The places of the texts of each part, and what is to be said of them, in lines.

    Raises:
        DataError: there are fewer than ten texts, or fewer than three different ones.
    """
    count = len(data.texts)
    if count < 10:
        raise DataError(f"{count} labelled texts: expected at least 10, for training, validation and test")
    groups = number_groups([normal_form(text) for text in data.texts])
    try:
        parts = split_groups(groups.tolist(), data.labels, TENTHS, seed)
    except ValueError as error:
        raise DataError(f"the texts cannot be divided: {error}") from error
    return parts, _said_of_parts(data, parts, groups)


def _said_of_parts(data: LabelledTexts, parts: dict[str, np.ndarray], groups: np.ndarray) -> list[str]:
    """Sizes and classes of the parts, repeated texts, the longest one, and classes with too few texts, in lines."""
    names = list(parts)
    counts = np.stack([np.bincount(data.labels[parts[name]], minlength=len(data.classes)) for name in names])
    sizes = []
    for name, row in zip(names, counts.tolist(), strict=True):
        of_classes = ", ".join(f"{label} {n:,}" for label, n in zip(data.classes, row, strict=True))
        sizes.append(f"{name} {sum(row):,}" + (f" ({of_classes})" if len(data.classes) <= 6 else ""))
    longest = max(data.texts, key=len)
    lines = [f"parts: {', '.join(sizes)}", f"longest: {len(longest.split()):,} words, {longest[:40]!r}"]
    if again := repeated(groups):
        lines.append(
            f"repeated: {again:,} texts are as an earlier one, but for case and punctuation; equal ones are in one part"
        )
    if torn := of_two_classes(groups, data.labels):
        lines.append(f"note: {torn:,} different texts have more than one label each")
    rare = [k for k, column in enumerate(counts.T) if column.sum() < FEW or not column.all()]
    for k in rare[:5]:
        of_parts = ", ".join(f"{n} in {name}" for n, name in zip(counts[:, k], names, strict=True))
        total = counts[:, k].sum()
        lines.append(f"note: class {data.classes[k]!r} has {total:,} texts, {of_parts}: too few to learn or to score")
    return lines + ([f"note: {len(rare) - 5:,} more classes have too few texts"] if len(rare) > 5 else [])


def of_two_classes(groups: np.ndarray, labels: np.ndarray) -> int:
    """How many groups of items have more than one class."""
    pairs = np.unique(np.stack([groups, labels]), axis=1)
    return int((np.bincount(pairs[0]) > 1).sum())


def _check_swallowed(path: str | Path, table: Delimited, columns: Columns, classes: Sequence[str]) -> None:
    """Raise DataError where a quote without a partner has made one text of several rows."""
    for line, cells in table.rows[columns.header :]:
        if "\n" not in cells[columns.text]:
            continue
        for number, inner in enumerate(cells[columns.text].split("\n")[1:], line + 1):
            parts = inner.split(table.delimiter)
            if len(parts) > columns.label and len(parts) >= len(cells) and parts[columns.label].strip() in classes:
                raise DataError(
                    f"{path}, line {line}: its text in quotes goes on over line {number}, {inner[:40]!r}, which looks "
                    "like a row of its own: close the quotes"
                )
