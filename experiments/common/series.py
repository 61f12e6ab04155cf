"""Labelled series in the .ts format of the UCR and UEA archives, series of different lengths included."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn_jax.data.download import DataError
from rnn_jax.data.text import read_text


class Series(NamedTuple):
    """Labelled series."""

    values: list[np.ndarray]
    """float32 `[t, D]` each, t its own length."""
    labels: list[str]


def read_series(path: str | Path) -> Series:
    """The series in a .ts file; errors as in `parse_series`, and a DataError where the file cannot be read."""
    return parse_series(read_text(path), str(path))


def parse_series(text: str, name: str) -> Series:
    """The series in a text of the .ts format: `@` headers, `@data`, then `1,2,3:4,5,6:label`, a channel per part.

    Args:
        text: the text.
        name: of the file, for messages.

    Raises:
        DataError: there is no @data or no series, a series has no label, a label is not one of @classLabel, a value is
            missing or no number, or channels differ in number or length; the message gives the line.
    """
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if start is None:
        raise DataError(f"{name} has no line @data: it is no .ts file")
    header = re.search(r"^@classlabel\s+true\s+(.+)$", "\n".join(lines[:start]), re.IGNORECASE | re.MULTILINE)
    if header is None:
        raise DataError(f"{name} has no line `@classLabel true LABEL LABEL ...`: its series have no labels")
    known, series = header[1].split(), Series([], [])
    for number, line in enumerate(lines[start + 1 :], start + 2):
        if not line.strip() or line.startswith("#"):
            continue
        *channels, label = line.strip().split(":")
        if not channels or label not in known:
            raise DataError(f"{name}, line {number}: label {label!r} is none of @classLabel {' '.join(known)}")
        try:
            rows = [np.array([float(value) for value in channel.split(",")], np.float32) for channel in channels]
        except ValueError as error:
            raise DataError(f"{name}, line {number}: {error}; missing values are not supported") from error
        width = series.values[0].shape[1] if series.values else len(rows)
        if len(rows) != width or len({len(row) for row in rows}) > 1:
            lengths = [len(row) for row in rows]
            raise DataError(f"{name}, line {number}: channels of lengths {lengths}, expected {width} of one length")
        if not all(np.isfinite(row).all() for row in rows):
            raise DataError(f"{name}, line {number}: a value is not finite; missing values are not supported")
        series.values.append(np.stack(rows, axis=1))
        series.labels.append(label)
    if not series.values:
        raise DataError(f"{name} has no series after @data")
    return series
