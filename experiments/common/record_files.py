"""Records of predictions as text, CSV or JSON, to a file or standard output, each as soon as it is there."""

import contextlib
import csv
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np

Format = Literal["text", "csv", "json"]


@contextlib.contextmanager
def records_to(output: Path | None, format: Format) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that writes one record, to a file or, where none is named, to standard output.

    Args:
        output: the file; one that is there is replaced when the last record is written, or when it is interrupted: till
            then records are in OUTPUT.NUMBER.part beside it. After a ValueError it stays as it was.
        format: `json` has one object a line. `csv` has a column an entry, the entries of an inner dict as `OUTER.INNER`
            and those of a list by their places from 1; the columns are those of the first record without an error, and
            `error`. `text` is for the eye.
    """
    with contextlib.nullcontext(sys.stdout) if output is None else _replacing(output) as stream:
        writer = {"text": _write_text, "csv": _CSV(), "json": _write_json}[format]

        def write(record: Mapping[str, Any]) -> None:
            writer(stream, {name: plain_value(value, name) for name, value in record.items()})
            stream.flush()

        try:
            yield write
            if isinstance(writer, _CSV):
                writer.finish(stream)
        except BrokenPipeError:
            # What is left in the buffer would fail again as Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _replacing(output: Path) -> Iterator[TextIO]:
    """A stream whose content replaces a file as a whole; what is no file, such as /dev/null, is written to at once."""
    if output.is_dir() or not output.parent.is_dir():
        raise ValueError(f"output={str(output)!r}: expected a file in a folder that is there")
    whole = output.resolve()  # where a link leads
    if whole.exists() and not whole.is_file():
        with whole.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        return
    part = whole.with_name(f"{whole.name}.{os.getpid()}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as stream:
            yield stream
    except ValueError:
        part.unlink()
        raise
    except BaseException:  # Ctrl-C, or a full disk: what was answered is of use
        if part.exists():
            _rename(part, whole)
        raise
    _rename(part, whole)


def _rename(part: Path, whole: Path) -> None:
    if whole.exists():
        shutil.copymode(whole, part)
    part.replace(whole)


SHARES = ("probability", "probabilities")
"""Entries of records that are from 0 to 1."""


def plain_value(value: Any, name: str = "") -> Any:
    """A value in JSON's types, its numbers with six significant digits, or up to the units where these are more.

    Those of `SHARES` have six digits after the point: float32 knows no more, and what it does not know depends on what
    else was computed at once. None stands for what is not finite.
    """
    if isinstance(value, Mapping):
        return {str(key): plain_value(one, name if name in SHARES else key) for key, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain_value(one, name) for one in value]
    if isinstance(value, (np.bool_, np.integer)):
        return value.item()
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            return None
        if name in SHARES:
            return round(float(value), 6)
        return round(float(value), 0) if abs(value) >= 1e6 else float(f"{value:.6g}")
    return value


def finite_value(value: Any) -> Any:
    """A value in JSON's types, its numbers as they are, None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(name): finite_value(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [finite_value(one) for one in value]
    if isinstance(value, (np.bool_, np.integer)):
        return value.item()
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def is_finite(value: Any) -> bool:
    """Whether no number in a value, at any depth, is NaN or infinite; None is no number."""
    if isinstance(value, Mapping):
        return all(map(is_finite, value.values()))
    if isinstance(value, np.ndarray) and value.dtype != object:
        return not np.issubdtype(value.dtype, np.inexact) or bool(np.isfinite(value).all())
    if isinstance(value, (list, tuple, np.ndarray)):
        return all(map(is_finite, value))
    return not isinstance(value, (float, np.floating)) or math.isfinite(value)


def _write_json(stream: TextIO, record: Mapping[str, Any]) -> None:
    stream.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


class _CSV:
    """Rows under a header, which the first record without an error gives; bad ones before it wait for it."""

    def __init__(self):
        self.columns: list[str] = []
        self.waiting: list[dict[str, Any]] = []

    def __call__(self, stream: TextIO, record: Mapping[str, Any]) -> None:
        row = _flat(record)
        if not self.columns and "error" in row:
            self.waiting.append(row)
            return
        if not self.columns:
            self.begin(stream, [*row, "error"])
        if unknown := [name for name in row if name not in self.columns]:
            raise ValueError(f"format='csv': an answer has {', '.join(unknown)}, the first one had not; use json")
        csv.DictWriter(stream, self.columns, restval="").writerow(row)

    def begin(self, stream: TextIO, columns: list[str]) -> None:
        """Write the header, and what has waited for it."""
        self.columns = columns
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(self.waiting)
        self.waiting = []

    def finish(self, stream: TextIO) -> None:
        """Write the bad ones where there is no other."""
        if self.waiting:
            self.begin(stream, ["id", "error"])


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, list):
            value = dict(enumerate(value, 1))
        row |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return row


def _write_text(stream: TextIO, record: Mapping[str, Any]) -> None:
    """`ID: ANSWER`, and what belongs to it after it."""
    of, *entries = record.items()
    (name, first), *rest = entries
    more = ", ".join(f"{name} {_text(value)}" for name, value in rest)
    error = "error: " if name == "error" else ""
    stream.write(f"{of[1]}: {error}{_text(first)}{f'  ({more})' if more else ''}\n")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return " ".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"
    return "unknown" if value is None else str(value)
