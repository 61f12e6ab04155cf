"""Tracks: where a hand, or anything else, is in each frame of a video, and what the movement means."""

import csv
from pathlib import Path

import numpy as np

from experiments.common.keel import load_keel
from experiments.common.series import Series, read_series
from rnn_jax.data.download import DataError

SIGNS = (
    "curved swing", "horizontal swing", "vertical swing", "anti-clockwise arc", "clockwise arc", "circle",
    "horizontal line", "vertical line", "tremble", "horizontal zigzag", "vertical zigzag", "horizontal wave",
    "vertical wave", "face-down curve", "face-up curve",
)  # fmt: skip
"""Of Libras, by number; the file has no names. They are given by how tracks look with y upwards; the arcs turn as they
do for the one who makes them, on whom the camera looks."""


def load_tracks(data: str) -> Series:
    """Labelled tracks, float32 `[t, D]` each: of "libras", or of the file at that path (see `read_tracks`).

    Libras has 360 tracks of a hand in 45 frames, x and y from 0 to 1, 24 of each of 15 signs of Brazilian sign language
    (Dias et al. 2009). 30 of them occur twice.

    Raises:
        DataError: the data cannot be had, or are not of this form.
    """
    if data != "libras":
        return read_tracks(data)
    table = load_keel("movement_libras")
    return Series(list(table.values.reshape(-1, 45, 2)), [SIGNS[int(label) - 1] for label in table.labels])


def read_tracks(path: str | Path, labelled: bool = True) -> Series:
    """The tracks in a .ts file, or in a .csv file with the columns track, label and one for each coordinate.

    The rows of a track, in the order of its frames, have the same name in the column `track`.

    Args:
        path: of the file.
        labelled: whether tracks need labels; without one, the label is empty.

    Raises:
        DataError: the file cannot be read, a column or all rows are missing, a track has two labels or none, or a
            coordinate is no finite number; the message gives line and column.
    """
    if Path(path).suffix.lower() == ".ts":
        return read_series(path)
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; a .csv or .ts file is expected") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 at offset {error.start}: save it as UTF-8") from error
    rows = csv.DictReader(lines)
    columns = [name for name in rows.fieldnames or () if name not in ("track", "label")]
    missing = {"track", "label"} - set(rows.fieldnames or ()) - (set() if labelled else {"label"})
    if missing or not columns:
        raise DataError(
            f"{path} has the columns {','.join(rows.fieldnames or ())!r}: expected track, label, and one for each "
            "coordinate, such as track,label,x,y"
        )
    tracks: dict[str, list[list[float]]] = {}
    labels: dict[str, str] = {}
    for row in rows:
        name, label, number = row["track"], row.get("label") or "", rows.line_num
        if labels.setdefault(name, label) != label or (labelled and not label):
            raise DataError(f"{path}, line {number}, column 'label': {label!r}; track {name!r} needs one label")
        tracks.setdefault(name, []).append([_number(row, column, f"{path}, line {number}") for column in columns])
    if not tracks:
        raise DataError(f"{path} has no rows after its first line {','.join(rows.fieldnames or ())!r}")
    return Series([np.array(steps, np.float32) for steps in tracks.values()], list(labels.values()))


def _number(row: dict[str, str], column: str, where: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        raise DataError(
            f"{where}, column {column!r}: {row[column]!r}, expected a finite number; fill it in or remove the track"
        )
    return value


def stratified_split(series: Series, share: float, seed: int) -> tuple[Series, Series]:
    """Divide at random so that of each label the same share, at least one, is in the second part.

    Equal tracks stay on one side: what is in both parts would be no test.

    Args:
        series: labelled tracks.
        share: of the second part, above 0 and below 1.
        seed: of the order.

    Raises:
        DataError: a label has too few different tracks.
    """
    rng, parts = np.random.default_rng(seed), (Series([], []), Series([], []))
    for label in sorted(set(series.labels)):
        same: dict[bytes, list[np.ndarray]] = {}
        for value, of in zip(series.values, series.labels, strict=True):
            if of == label:
                same.setdefault(value.tobytes(), []).append(value)
        if len(same) < 2:
            raise DataError(f"label {label!r} has {len(same)} different tracks: expected at least two")
        groups = list(same.values())
        count = max(1, round(share * sum(map(len, groups))))
        first: list[list[np.ndarray]] = []
        second: list[list[np.ndarray]] = []
        for k in rng.permutation(len(groups)):
            fits = sum(map(len, second)) + len(groups[k]) <= count
            (second if fits else first).append(groups[k])
        second = second or [first.pop()]
        first = first or [second.pop()]
        for part, chosen in zip(parts, (first, second), strict=True):
            values = [value for group in chosen for value in group]
            part.values.extend(values)
            part.labels.extend([label] * len(values))
    return parts
