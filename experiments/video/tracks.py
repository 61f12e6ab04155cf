"""Tracks: where a hand, or anything else, is in each frame of a video, and what the movement means."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.common.keel import load_keel
from experiments.common.named_rows import read_named_rows
from experiments.common.series import Series, read_series
from rnn_jax.data.download import DataError

SIGNS = (
    "curved swing", "horizontal swing", "vertical swing", "anti-clockwise arc", "clockwise arc", "circle",
    "horizontal line", "vertical line", "tremble", "horizontal zigzag", "vertical zigzag", "horizontal wave",
    "vertical wave", "face-down curve", "face-up curve",
)  # fmt: skip
"""Of Libras, by number; the file has no names. They are given by how tracks look with y upwards; the arcs turn as they
do for the one who makes them, on whom the camera looks."""


FRAMES = ("frame", "frame_number", "frame_id", "frame_no", "t", "time", "timestamp")
"""Columns that order the rows of a track; the first of these that a table has does."""


class Tracks(NamedTuple):
    """Tracks, labelled or not."""

    values: list[np.ndarray]
    """float32 `[t, D]` each, t its own length."""
    labels: list[str]
    """Empty ones where tracks have none."""
    names: list[str]
    """Of the tracks."""
    columns: list[str]
    """Of the D coordinates; none where the file does not name them."""
    notes: list[str]
    """On what is odd."""


def load_tracks(data: str) -> Tracks:
    """Labelled tracks, float32 `[t, D]` each: of "libras", or of the file at that path (see `read_tracks`), by name.

    Libras has 360 tracks of a hand in 45 frames, x and y from 0 to 1, 24 of each of 15 signs of Brazilian sign language
    (Dias et al. 2009). 30 of them occur twice.

    Raises:
        DataError: the data cannot be had, or are not of this form.
    """
    if data != "libras":
        tracks = read_tracks(data)
        # In whatever order the rows of a file are, they train the same model: numbers in names count as numbers.
        parts = [[(p.zfill(20) if p.isdigit() else p) for p in re.split(r"(\d+)", name)] for name in tracks.names]
        order = sorted(range(len(parts)), key=lambda k: parts[k]) if tracks.columns else range(len(parts))
        return tracks._replace(
            values=[tracks.values[k] for k in order],
            labels=[tracks.labels[k] for k in order],
            names=[tracks.names[k] for k in order],
        )
    table = load_keel("movement_libras")
    values, labels = list(table.values.reshape(-1, 45, 2)), [SIGNS[int(label) - 1] for label in table.labels]
    return Tracks(values, labels, [f"line {i}" for i in range(1, len(values) + 1)], ["x", "y"], [])


def read_tracks(path: str | Path, labelled: bool = True, columns: Sequence[str] = ()) -> Tracks:
    """The tracks in a .ts file, or in a .csv file with the columns track, label and one for each coordinate.

    The rows of a track have the same name in the column `track`. They are in the order of a column of `FRAMES`, which
    is no coordinate, or, where there is none, in that of the file.

    Args:
        path: of the file.
        labelled: whether tracks need labels; without one, the label is empty.
        columns: the coordinates that are read, in this order; all columns by default.

    Raises:
        DataError: the file cannot be read, is not as `read_named_rows` says, has no rows, a track has two labels or
            none, or the same frame twice, or a cell is no finite number; the message gives line and column.
    """
    if Path(path).suffix.lower() == ".ts":
        series = read_series(path)
        return Tracks(*series, names=[str(i) for i in range(1, len(series.labels) + 1)], columns=[], notes=[])
    table = _read_table(path, labelled, columns)
    values, labels, names = [], [], []
    for name, value, label in table.tracks():
        if isinstance(value, DataError):
            raise value
        values.append(value)
        labels.append(label)
        names.append(name)
    return Tracks(values, labels, names, table.columns, table.notes)


TrackItem = tuple[str, np.ndarray | DataError, str]
"""The name of a track, its values or what is wrong with it, and its label."""


def track_items(
    path: str | Path, labelled: bool, columns: Sequence[str] = (), text: str | None = None
) -> tuple[Iterator[TrackItem], list[str]]:
    """The tracks of a table one by one, and what is odd; arguments and errors are those of `read_tracks`.

    What is wrong with one track stands in its place. A `text` is read in place of the file.
    """
    table = _read_table(path, labelled, columns, text)
    return table.tracks(), table.notes


class _Table(NamedTuple):
    """The tracks of a table."""

    steps: dict[str, dict[float, list[float]]]
    """Coordinates by frame, by track."""
    labels: dict[str, str]
    wrong: dict[str, DataError]
    """What is wrong with some tracks."""
    columns: list[str]
    notes: list[str]

    def tracks(self) -> Iterator[TrackItem]:
        """Each track, its frames in order."""
        for name, steps in self.steps.items():
            value = self.wrong.get(name)
            yield name, value or np.array([steps[frame] for frame in sorted(steps)], np.float32), self.labels[name]


def _read_table(path: str | Path, labelled: bool, columns: Sequence[str] = (), text: str | None = None) -> _Table:
    expected = "track, label, and one for each coordinate, such as track,label,x,y"
    needed = ("track", "label") if labelled else ("track",)
    header, rows = read_named_rows(path, (*needed, *columns), ("label", *FRAMES), expected, text)
    of_frames = [name for name in FRAMES if name in header and name not in columns]
    numbering = [name for name in header if name == "" or name.startswith("Unnamed: ")]  # of rows, by a spreadsheet
    coordinates = [name for name in header if name not in ("track", "label", *of_frames, *numbering)]
    if not coordinates:
        raise DataError(f"{path} has the columns {','.join(header)!r}: expected {expected}")
    notes = ["note: a column without a name is not read"] * bool(numbering)
    if columns and (others := [name for name in coordinates if name not in columns]):
        notes.append(f"note: the model knows {', '.join(columns)}; not read: {', '.join(others)}")
    if len(of_frames) > 1:
        notes.append(f"note: rows are ordered by {of_frames[0]}; not read: {', '.join(of_frames[1:])}")
    coordinates = list(columns) or coordinates
    tracks: dict[str, dict[float, list[float]]] = {}
    labels: dict[str, str] = {}
    wrong: dict[str, DataError] = {}
    for number, row in rows:
        name, label, where = row["track"], row.get("label", ""), f"{path}, line {number}"
        steps = tracks.setdefault(name, {})
        try:
            if labels.setdefault(name, label) != label or (labelled and not label):
                raise DataError(f"{where}, column 'label': {label!r}; track {name!r} needs one label")
            frame = _number(row, of_frames[0], where) if of_frames else len(steps)
            if frame in steps:
                at = f"{where}, column {of_frames[0]!r}"
                raise DataError(f"{at}: {frame:g} is there twice in track {name!r}; keep one")
            steps[frame] = [_number(row, column, where) for column in coordinates]
        except DataError as error:
            wrong.setdefault(name, error)
    if not tracks:
        raise DataError(f"{path} has no rows after its first line {','.join(header)!r}")
    if unsorted := sum(list(steps) != sorted(steps) for steps in tracks.values()):
        notes.append(f"note: the rows of {unsorted:,} tracks are sorted by the column {of_frames[0]}")
    return _Table(tracks, labels, wrong, coordinates, notes)


def _number(row: dict[str, str], column: str, where: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = float("nan")
    if not abs(value) <= float(np.finfo(np.float32).max):
        raise DataError(
            f"{where}, column {column!r}: {row[column]!r}, expected a finite number below 1e38; fill it in or remove "
            "the track"
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
