"""Where the anomalies of series are: windows of time, out of a table or a file such as the benchmark's."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.named_rows import read_named_rows
from experiments.common.table_times import Clock, form_words, read_time, tell_time_form
from rnn_jax.data import DataError
from rnn_jax.data.text import read_text

Span = tuple[np.datetime64, np.datetime64]
"""First and last moment of a window."""


class Windows:
    """Which window a moment is in; and which windows no moment was in.

    Args:
        spans: of each series, in the order of time.
    """

    def __init__(self, spans: Mapping[str, Sequence[Span]]):
        self._spans = {name: sorted(of_series) for name, of_series in spans.items()}
        self._seen: set[tuple[str, int]] = set()

    def of(self, series: str, time: np.datetime64) -> int:
        """The number of the window that a moment is in, or -1."""
        for i, (first, last) in enumerate(self._spans.get(series, ())):
            if first <= time <= last:
                self._seen.add((series, i))
                return i
        return -1

    @property
    def unseen(self) -> list[str]:
        """The windows in which no moment was, in words."""
        return [
            f"{first} to {last}" + f" of {name}" * (len(self._spans) > 1)
            for name, spans in self._spans.items()
            for i, (first, last) in enumerate(spans)
            if (name, i) not in self._seen
        ]


def read_windows(path: str, series: Sequence[str], zone: str = "") -> Windows:
    """The windows in a file, of the series that are asked for.

    Args:
        path: of a table with the columns from and to, and series where there are several; or of JSON,
            `{"SERIES": [[FROM, TO], ...]}`, or `[[FROM, TO], ...]` for one series.
        series: their names.
        zone: of times without an offset from UTC.

    Raises:
        DataError: the file cannot be read or is not of this form, a window ends before it begins or overlaps another.
    """
    found = _from_json(path, series) if Path(path).suffix.lower() == ".json" else _from_table(path, series)
    wanted = [(name, pair, place) for name, pair, place in found if name in series]
    if not wanted:
        raise DataError(f"labels={path!r} has no window of {', '.join(series[:5])}: nothing can be scored")
    cells = [cell for _, pair, _ in wanted for cell in pair]
    form = tell_time_form(cells, "from")
    spans: dict[str, list[Span]] = {}
    for name, pair, place in wanted:
        first, last = (_moment(cell, form, zone, f"{path}, {place}") for cell in pair)
        if last < first:
            raise DataError(f"{path}, {place}: {pair[1]} is before {pair[0]}: a window ends after it begins")
        if any(first <= end and begin <= last for begin, end in spans.get(name, [])):
            raise DataError(f"{path}, {place}: {pair[0]} to {pair[1]} overlaps another window: make one of them")
        spans.setdefault(name, []).append((first, last))
    return Windows(spans)


Found = list[tuple[str, tuple[str, str], str]]
"""Series, first and last moment, and where it stands in the file."""


def _from_table(path: str, series: Sequence[str]) -> Found:
    columns, rows = read_named_rows(path, ("from", "to"), ("series",), "from, to and, where there are several, series")
    if "series" not in columns and len(series) > 1:
        raise DataError(f"{path} has no column series, and {len(series)} series are watched: add it, or say --series")
    return [(row.get("series", series[0]), (row["from"], row["to"]), f"line {number}") for number, row in rows]


def _from_json(path: str, series: Sequence[str]) -> Found:
    form = '{"SERIES": [[FROM, TO], ...]}'
    try:
        content: Any = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from error
    if isinstance(content, list) and len(series) == 1:
        content = {series[0]: content}
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected {form}")
    found: Found = []
    for name, pairs in content.items():
        for i, pair in enumerate(pairs if isinstance(pairs, list) else [pairs], 1):
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(cell, str) for cell in pair):
                raise DataError(f"{path}, {name}, window {i}: {str(pair)[:60]}, expected {form}")
            found.append((name, (pair[0], pair[1]), f"{name}, window {i}"))
    return found


def _moment(cell: str, form: str, zone: str, where: str) -> np.datetime64:
    read = read_time(cell, form)
    if read is None:
        raise DataError(f"{where}: {cell!r} is no time: expected {form_words(form)}")
    time, offset = read
    return np.datetime64(Clock(zone).to_utc(time) if zone and not offset else time, "us")
