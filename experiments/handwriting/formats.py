"""Drawings as files have them: JSON and tables of one's own, InkML, and the lines of QuickDraw."""

import json
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from experiments.common.file_items import files_in
from experiments.common.named_rows import read_named_rows
from experiments.common.text import read_file_text
from rnn_jax.data.download import DataError
from rnn_jax.data.text import read_text

Strokes = list[list[tuple[float, float]]]
"""Points of each stroke."""
OWN = '{"words": "3 1 4", "strokes": [[[x, y], ...], ...]}'
QUICKDRAW = '{"word": "cat", "drawing": [[[x, ...], [y, ...]], ...]}'
TRUTHS = ("truth", "label", "word", "transcription", "text")
"""Types of an InkML annotation that say what is written."""


class Drawing(NamedTuple):
    """A drawing as it stands in a file."""

    strokes: Strokes
    words: tuple[str, ...] = ()
    """Empty where they are not known."""
    down: bool = False
    """Whether y grows downwards in files of this format."""


Named = tuple[str, Drawing | DataError]
"""The name of a drawing, or its number, and it, or what is wrong with it."""


def drawings_in(path: str | Path) -> Iterator[Named]:
    """The drawings in a file, whose format its name tells, or in all files of a folder.

    *.json: a list of `{"words": "3 1 4", "strokes": [[[x, y], [x, y], ...], ...]}`, or one of these. *.csv: a point in
    each row, with the columns drawing, stroke, x, y and, where it is known, words; rows of a drawing and of a stroke
    stand together, or not, but points in their order. *.ndjson, *.jsonl: such an object in each line, or one of
    QuickDraw, whose word is one label. *.inkml (W3C): its traces are one drawing, an annotation of type truth says what
    is written. Words stand apart by spaces: they are the labels that a model learns, letters or digits as well.

    Raises:
        DataError: a file cannot be read or is not of this form; the message names row and column, or drawing, stroke
            and point.
    """
    if Path(path).is_dir():
        for name, file in files_in(str(path), tuple(READERS), "drawings"):
            for one, drawing in _of_folder(file):
                yield (name if file.suffix.lower() == ".inkml" else f"{name}: {one}"), drawing
        return
    if not (read := READERS.get(Path(path).suffix.lower())):
        raise DataError(f"{path}: expected a file of drawings, {', '.join(READERS)}, or a folder of such")
    yield from read(path)


def _of_folder(file: Path) -> Iterator[Named]:
    """The drawings of one of many files; one that cannot be read is one bad drawing."""
    try:
        yield from READERS[file.suffix.lower()](file)
    except DataError as error:
        yield "", error


def _each(items: Iterable[tuple[str, Any]], read: Callable[[str, Any], Named], where: str) -> Iterator[Named]:
    for number, item in items:
        try:
            yield read(f"{where}, drawing {number}", (number, item))
        except DataError as error:
            yield number, error


def _own_or_quickdraw(place: str, numbered: tuple[str, Any]) -> Named:
    number, item = numbered
    if isinstance(item, dict) and "drawing" in item:
        return str(item.get("key_id", number)), _quickdraw(item, place)
    if not isinstance(item, dict) or not isinstance(item.get("strokes"), list) or not item["strokes"]:
        raise DataError(f"{place}: expected {OWN}")
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
    return str(item.get("name", number)), Drawing(strokes, tuple(words.split()))


def _quickdraw(item: Mapping[str, Any], place: str) -> Drawing:
    strokes, word = [], item.get("word", "")
    if not isinstance(item["drawing"], list) or not item["drawing"] or not isinstance(word, str):
        raise DataError(f"{place}: expected {QUICKDRAW}")
    for k, stroke in enumerate(item["drawing"], 1):
        axes = stroke[:2] if isinstance(stroke, list) else []
        lists = len(axes) == 2 and all(isinstance(axis, list) and axis for axis in axes)
        if not lists or len(axes[0]) != len(axes[1]) or not all(_is_coordinate(v) for axis in axes for v in axis):
            raise DataError(f"{place}, stroke {k}: {str(stroke)[:40]}, expected as many finite numbers x as y")
        strokes.append([(float(x), float(y)) for x, y in zip(*axes, strict=True)])
    return Drawing(strokes, tuple(["_".join(word.split())] if word.strip() else []), down=True)


def _from_json(path: str | Path) -> Iterator[Named]:
    try:
        content: Any = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from error
    items = content if isinstance(content, list) else [content]
    yield from _each(((str(number), item) for number, item in enumerate(items, 1)), _own_or_quickdraw, str(path))


def drawings_of_lines(lines: Iterable[str], name: str) -> Iterator[Named]:
    """The drawings in lines of JSON, one in each, as they come."""

    def read(place: str, numbered: tuple[str, str]) -> Named:
        try:
            item = json.loads(numbered[1])
        except json.JSONDecodeError as error:
            raise DataError(f"{name}, line {numbered[0]}, column {error.colno}: no JSON: {error.msg}") from error
        return _own_or_quickdraw(place, (numbered[0], item))

    numbered = ((str(number), line) for number, line in enumerate(lines, 1) if line.strip())
    yield from _each(numbered, read, name)


def _from_lines(path: str | Path) -> Iterator[Named]:
    yield from drawings_of_lines(read_file_text(path).text.splitlines(), str(path))


def _from_csv(path: str | Path) -> Iterator[Named]:
    needed = ("drawing", "stroke", "x", "y")
    _, rows = read_named_rows(path, needed, ("words",), "drawing, stroke, x, y and, where it is known, words")
    strokes: dict[str, dict[str, list[tuple[float, float]]]] = {}
    words: dict[str, str] = {}
    wrong: dict[str, DataError] = {}
    for number, row in rows:
        name, transcript = row["drawing"], row.get("words", "")
        point = []
        for column in ("x", "y"):
            try:
                point.append(float(row[column]))
            except ValueError:
                point.append(math.nan)
            if not _is_coordinate(point[-1]):
                at = f"{path}, line {number}, column {column}"
                wrong.setdefault(name, DataError(f"{at}: {row[column]!r}, expected a finite number"))
        if words.setdefault(name, transcript) != transcript:
            at = f"{path}, line {number}, column words"
            wrong.setdefault(name, DataError(f"{at}: {transcript!r}, but drawing {name} began with {words[name]!r}"))
        strokes.setdefault(name, {}).setdefault(row["stroke"], []).append((point[0], point[1]))
    for name, points in strokes.items():
        yield name, wrong.get(name) or Drawing(list(points.values()), tuple(words[name].split()))


def _from_inkml(path: str | Path) -> Iterator[Named]:
    """The traces of a file of the W3C's Ink Markup Language, whose y grows downwards."""
    try:
        root = ElementTree.fromstring(Path(path).read_bytes())
    except OSError as error:
        raise DataError(f"path={str(path)!r} cannot be read: {error.strerror}; a file of InkML is expected") from error
    except ElementTree.ParseError as error:
        raise DataError(f"{path} is no XML: {error}") from error

    def inside(tag: str) -> Iterator[ElementTree.Element]:
        return (element for element in root.iter() if element.tag.rpartition("}")[2] == tag)

    channels = []
    for form in inside("traceFormat"):  # the first one; further ones would say the same of a pen
        channels = [c.get("name", "").upper() for c in form.iter() if c.tag.rpartition("}")[2] == "channel"]
        break
    places = [channels.index(axis) for axis in "XY"] if {"X", "Y"} <= set(channels) else [0, 1]
    strokes = []
    for k, trace in enumerate(inside("trace"), 1):
        if trace.get("type") == "penUp":
            continue
        points = []
        for i, cells in enumerate((trace.text or "").split(","), 1):
            try:
                point = [float(cells.split()[place]) for place in places]
            except (ValueError, IndexError):
                point = [math.nan]
            if not all(map(_is_coordinate, point)):
                raise DataError(
                    f"{path}, trace {k}, point {i}: {cells.strip()[:40]!r}, expected numbers apart by spaces, two at "
                    "least; differences from the point before (' or \") are not read"
                )
            points.append((point[0], point[1]))
        strokes.append(points)
    if not strokes:
        raise DataError(f"{path} has no traces: expected InkML, <ink><trace>x y, x y, ...</trace>...</ink>")
    said = [a.text or "" for a in root if a.tag.rpartition("}")[2] == "annotation" and a.get("type") in TRUTHS]
    yield Path(path).name, Drawing(strokes, tuple(said[0].split()) if said else (), down=True)


READERS: dict[str, Callable[[str | Path], Iterator[Named]]] = {
    ".json": _from_json, ".csv": _from_csv, ".ndjson": _from_lines, ".jsonl": _from_lines, ".inkml": _from_inkml,
}  # fmt: skip
"""How each format is read, by how names of files end."""


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
