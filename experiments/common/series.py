"""Labelled series in the .ts format of the UCR and UEA archives, series of different lengths included."""

import re
from collections.abc import Iterable, Iterator, Sequence
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
    series = Series([], [])
    for _, value, label in series_items(text.splitlines(), name):
        if isinstance(value, DataError):
            raise value
        series.values.append(value)
        series.labels.append(label)
    if not series.values:
        raise DataError(f"{name} has no series after @data")
    return series


def series_items(
    lines: Iterable[str], name: str, *, labelled: bool = True
) -> Iterator[tuple[int, np.ndarray | DataError, str]]:
    """Each series in lines of the .ts format as it comes: its line, its values or what is wrong with it, its label.

    Args:
        lines: of the file.
        name: of the file, for messages.
        labelled: whether series must have labels; if not, they have where the header says so, and any.

    Raises:
        DataError: there is no @data, or labels are missing.
    """
    numbered, header = enumerate(lines, 1), []
    for _, line in numbered:
        if line.strip().lower() == "@data":
            break
        header.append(line.strip())
    else:
        raise DataError(f"{name} has no line @data: it is no .ts file")
    classes = re.search(r"^@classlabel\s+true\s+(.+)$", "\n".join(header), re.IGNORECASE | re.MULTILINE)
    if classes is None and labelled:
        raise DataError(f"{name} has no line `@classLabel true LABEL LABEL ...`: its series have no labels")
    known = classes[1].split() if classes else []
    width = 0
    for number, line in numbered:
        if not line.strip() or line.startswith("#"):
            continue
        *channels, label = line.strip().split(":") if known else [*line.strip().split(":"), ""]
        try:
            if not channels or (labelled and label not in known):
                raise DataError(f"{name}, line {number}: label {label!r} is none of @classLabel {' '.join(known)}")
            value = _channels(channels, width, f"{name}, line {number}")
        except DataError as error:
            yield number, error, label
        else:
            width = value.shape[1]
            yield number, value, label


def _channels(channels: Sequence[str], width: int, where: str) -> np.ndarray:
    """A series `[t, D]` out of the text of its channels, as many as those before have, if there are any."""
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
            rows = [np.array([float(v) for v in channel.split(",")]).astype(np.float32) for channel in channels]
    except ValueError as error:
        raise DataError(f"{where}: {error}; missing values are not supported") from error
    if len(rows) != (width or len(rows)) or len({len(row) for row in rows}) > 1:
        lengths = [len(row) for row in rows]
        raise DataError(f"{where}: channels of lengths {lengths}, expected {width or len(rows)} of one length")
    if not all(np.isfinite(row).all() for row in rows):
        raise DataError(f"{where}: a value is not finite, or above 1e38; missing values are not supported")
    return np.stack(rows, axis=1)
