"""Handwriting as strokes of a pen: PenDigits, strings of its digits, and the user's own drawings."""

import dataclasses
from pathlib import Path

import numpy as np

from experiments.common.file_items import files_in
from experiments.common.keel import load_keel
from experiments.common.own_recordings import check_alignable, divide_recordings
from experiments.common.reading import say
from experiments.common.recordings import PARTS, Recording, join_recordings
from experiments.handwriting.formats import READERS, Drawing, drawings_in
from experiments.handwriting.strokes import lay_out, prepare_drawing
from rnn_jax.data.download import DataError
from rnn_jax.data.sources import file_digest


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
    """The drawings in a file or a folder, see `drawings_in`; their segments are strokes, their words what is written.

    Args:
        path: of the file.
        downwards: y grows downwards, as on screens, and as in InkML and QuickDraw without saying so.
        labelled: each drawing has words.

    Raises:
        DataError: see `drawings_in`; or there is none.
    """
    drawings = []
    for name, drawing in drawings_in(path):
        if isinstance(drawing, DataError):
            raise drawing
        if labelled and not drawing.words:
            raise DataError(f"{path}, drawing {name} has no words: what does it show? Words stand apart by spaces")
        drawings.append(as_recording(name, drawing, downwards=downwards or drawing.down))
    if not drawings:
        raise DataError(f"{path} has no drawings")
    return drawings


def as_recording(name: str, drawing: Drawing, *, downwards: bool) -> Recording:
    """A drawing with y upwards, whichever way it grows in its file."""
    oriented = (np.array(points) * (1, -1 if downwards else 1) for points in drawing.strokes)
    return Recording(tuple(s.astype(np.float32) for s in oriented), drawing.words, name=name)


def drawing_digests(path: str) -> dict[str, str]:
    """Name and SHA-256 of a file of drawings, or of each in a folder."""
    return {name: file_digest(file) for name, file in files_in(path, tuple(READERS), "drawings")}
