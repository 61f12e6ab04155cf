"""Handwriting as strokes of a pen: PenDigits, strings of its digits, and the user's own drawings."""

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.keel import load_keel
from experiments.common.named_rows import read_named_rows
from experiments.common.own_recordings import check_alignable, divide_recordings
from experiments.common.reading import say
from experiments.common.recordings import PARTS, Recording, join_recordings
from experiments.handwriting.strokes import lay_out, prepare_drawing
from rnn_jax.data.download import DataError
from rnn_jax.data.text import read_text


def pendigits() -> dict[str, list[Recording]]:
    """The parts training, validation and test of PenDigits: 6,745, 749 and 3,498 digits of eight points each.

    Alimoglu & Alpaydin 1996, "Methods of combining multiple classifiers based on different representations for
    pen-based handwritten digit recognition". Points stand at equal distances along all that the pen wrote, stretched to
    0 to 100 in x (to the right) and y (upwards). Thirty writers are for training, fourteen others for test. Within the
    training part no order of writers can be seen: every tenth digit is for validation here, written by the same hands.

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    table = load_keel("penbased")
    digits = [
        Recording((points.reshape(-1, 2),), (label,), name=f"line {i}")
        for i, (points, label) in enumerate(zip(table.values, table.labels, strict=True), 1)
    ]
    writers = digits[:6728] + digits[9892:10658]
    validation = writers[9::10]
    training = [digit for i, digit in enumerate(writers) if i % 10 != 9]
    return dict(zip(PARTS, (training, validation, digits[6728:9892] + digits[10658:]), strict=True))


def pen_strings(digits: dict[str, list[Recording]]) -> dict[str, list[Recording]]:
    """10,000, 500 and 500 strings of 3 to 7 digits side by side, each part's of that part's digits, always the same."""
    strings = {}
    for number, (part, recordings) in enumerate(digits.items()):
        rng = np.random.default_rng([number, len(recordings)])
        joined = join_recordings(recordings, 10_000 if part == "training" else 500, seed=0)
        strings[part] = [dataclasses.replace(r, segments=tuple(lay_out(rng, np.stack(r.segments)))) for r in joined]
    return strings


def handwriting_parts(
    task: str, file: str = "", points: int = 8, *, downwards: bool = False
) -> dict[str, list[Recording]]:
    """The parts training, validation and test of a task, prepared for a model (see `prepare_drawing`).

    Args:
        task: "digits", one sign in each drawing, or "strings", several.
        file: the user's own drawings in their place (see `read_drawings`), divided by `divide_recordings`.
        points: of each sign; eight in PenDigits, which has no more.
        downwards: y grows downwards in the file, as on screens.

    Raises:
        DataError: the data cannot be had or are not of this form, `points` is not 8 without a file, or a drawing has
            more words than steps.
    """
    several = task == "strings"
    if file:
        drawings = read_drawings(file, downwards=downwards, labelled=True)
        many = next((d for d in drawings if len(d.words) > 1), None)
        if many and not several:
            raise DataError(f"{file}, drawing {many.name} has {len(many.words)} words: several need --task strings")
        drawings = [prepare_drawing(drawing, points, several) for drawing in drawings]
        if several:
            remedy = f"take more --points than {points} of each sign, or draw signs apart from each other"
            check_alignable(drawings, lambda drawing: len(drawing.signal), file, remedy, "drawing ")
        parts, notes = divide_recordings(drawings, file)
        say(notes)
        return parts
    if points != 8:
        raise DataError(f"points={points}: PenDigits has 8 of each digit; other numbers need a file of your own")
    parts = pen_strings(pendigits()) if several else pendigits()
    return {part: [prepare_drawing(d, points, several) for d in drawings] for part, drawings in parts.items()}


def read_drawings(path: str | Path, *, downwards: bool = False, labelled: bool = False) -> list[Recording]:
    """The drawings in a UTF-8 file; their segments are strokes, their words what is written.

    *.json: a list of `{"words": "3 1 4", "strokes": [[[x, y], [x, y], ...], ...]}`, or one of these. *.csv: a point in
    each row, with the columns drawing, stroke, x, y and, where it is known, words; rows of a drawing and of a stroke
    stand together, or not, but points in their order. Words stand apart by spaces: they are the labels that a model
    learns, letters or digits as well.

    Args:
        path: of the file.
        downwards: y grows downwards, as on screens.
        labelled: each drawing has words.

    Raises:
        DataError: the file cannot be read or is not of this form, or a coordinate is empty, no number or not finite;
            the message names row and column, or drawing, stroke and point.
    """
    parsed = _from_csv(path) if Path(path).suffix.lower() == ".csv" else _from_json(read_text(path), path)
    drawings = []
    for name, words, strokes in parsed:
        if labelled and not words:
            raise DataError(f"{path}, drawing {name} has no words: what does it show? Words stand apart by spaces")
        oriented = (np.array(points) * (1, -1 if downwards else 1) for points in strokes)
        drawings.append(Recording(tuple(s.astype(np.float32) for s in oriented), tuple(words.split()), name=name))
    if not drawings:
        raise DataError(f"{path} has no drawings")
    return drawings


Drawing = tuple[str, str, list[list[tuple[float, float]]]]
"""Name, words and strokes."""


def _from_json(text: str, path: str | Path) -> Iterator[Drawing]:
    try:
        content: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from error
    for number, item in enumerate(content if isinstance(content, list) else [content], 1):
        place = f"{path}, drawing {number}"
        if not isinstance(item, dict) or not isinstance(item.get("strokes"), list) or not item["strokes"]:
            raise DataError(f'{place}: expected {{"words": "3 1 4", "strokes": [[[x, y], ...], ...]}}')
        if not isinstance(words := item.get("words", ""), str):
            raise DataError(f"{place}: words={words!r}, expected a text such as '3 1 4'")
        strokes = []
        for k, stroke in enumerate(item["strokes"], 1):
            if not isinstance(stroke, list) or not stroke:
                raise DataError(f"{place}, stroke {k}: {str(stroke)[:40]}, expected a list of points [x, y]")
            for i, point in enumerate(stroke, 1):
                if not isinstance(point, list) or len(point) != 2 or not all(map(_is_coordinate, point)):
                    raise DataError(f"{place}, stroke {k}, point {i}: {str(point)[:40]}, expected two finite numbers")
            strokes.append([(float(x), float(y)) for x, y in stroke])
        yield str(item.get("name", number)), words, strokes


def _from_csv(path: str | Path) -> Iterator[Drawing]:
    needed = ("drawing", "stroke", "x", "y")
    _, rows = read_named_rows(path, needed, ("words",), "drawing, stroke, x, y and, where it is known, words")
    drawings: dict[str, dict[str, list[tuple[float, float]]]] = {}
    words: dict[str, str] = {}
    for number, row in rows:
        point = []
        for column in ("x", "y"):
            try:
                point.append(float(row[column]))
            except ValueError:
                point.append(math.nan)
            if not _is_coordinate(point[-1]):
                raise DataError(f"{path}, line {number}, column {column}: {row[column]!r}, expected a finite number")
        name, transcript = row["drawing"], row.get("words", "")
        if words.setdefault(name, transcript) != transcript:
            raise DataError(
                f"{path}, line {number}, column words: {transcript!r}, but drawing {name} began with {words[name]!r}"
            )
        drawings.setdefault(name, {}).setdefault(row["stroke"], []).append((point[0], point[1]))
    for name, strokes in drawings.items():
        yield name, words[name], list(strokes.values())


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
