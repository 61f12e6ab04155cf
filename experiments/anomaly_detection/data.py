"""Series in time: those of the Numenta Anomaly Benchmark, with the windows that hold their anomalies, or one's own."""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.common.table_cells import PLAIN, TOLD, TableConfig
from experiments.common.table_notes import table_lines
from experiments.common.table_steps import most_common, step_words
from experiments.common.table_times import Clock
from experiments.common.tables import Dialect, parse_tables, read_tables
from rnn_jax.data.archives import read_members
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.sources import Dataset, FolderFile

NAB = Dataset(
    name="nab",
    files=(
        FolderFile(
            name="nab.zip",
            repository="numenta/NAB",
            commit="ea702d75cc2258d9d7dd35ca8e5e2539d71f3140",
            folders=("data", "labels"),
            sha256="b4e3472670acefd9677295a5bdc0a3c40fa69f0c29eacc5cdadb3bebb948de0e",
            size=9_629_321,
        ),
    ),
    licence="MIT",
    citation="A. Lavin, S. Ahmad, Evaluating Real-time Anomaly Detection Algorithms, 2015, arXiv:1510.03336",
    split="none: 58 series, read as streams",
)


class TimeSeries(NamedTuple):
    """One measured quantity, and where its anomalies are labelled."""

    name: str
    """Folder and file, such as realTraffic/speed_6005.csv."""
    times: np.ndarray
    """datetime64[us] `[T]`."""
    values: np.ndarray
    """float64 `[T]`, NaN where a value is missing."""
    windows: tuple[tuple[int, int], ...] = ()
    """First and last row of each window."""
    clock: Clock = Clock()
    """How its times are told."""
    dialect: Dialect = Dialect()
    """How its table is written, for rows that come later."""


def load_nab() -> list[TimeSeries]:
    """All series of the benchmark, in the order of their names; rows as they come, some times are out of order.

    Lavin & Ahmad 2015, arXiv:1510.03336.

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    archive = fetch(NAB)["nab.zip"]
    labels = json.loads(read_members(archive, "*labels/combined_windows.json").popitem()[1])
    series = []
    for path, content in read_members(archive, "*data/*/*.csv").items():
        name = "/".join(path.split("/")[-2:])
        table = parse_tables(content.decode(), name, PLAIN, columns=["value"], ordered=False).tables[""]
        windows = [np.array(window, "datetime64[us]") for window in labels[name]]
        places = [np.flatnonzero((table.times >= left) & (table.times <= right)) for left, right in windows]
        spans = tuple((int(inside[0]), int(inside[-1])) for inside in places)
        series.append(TimeSeries(name, table.times, table.values[:, 0], spans))
    return series


def load_series(csv: str = "", column: str = "", config: TableConfig = TOLD, by: str = "") -> list[TimeSeries]:
    """The benchmark, or the series in a table of one's own: `column`, or each column of numbers by itself.

    With `by`, a column that tells several series apart, each of them has its name there, and one column of numbers.

    What was read of a table is said. Rows are taken as they come, as those of the benchmark are, some of whose clocks
    go back.

    Raises:
        DataError: as in `load_nab` and `read_tables`.
    """
    if not csv:
        return load_nab()
    read = read_tables(csv, config, by=by, columns=[column] if column else (), ordered=False)
    table = next(iter(read.tables.values()))
    step = f"most rows {step_words(most_common(np.diff(table.times)))} apart" if len(table.times) > 1 else "one row"
    lines = table_lines(Path(csv).name, read.tables, table.clock, step)
    print("\n".join([*lines, *(f"note: {note}" for note in read.notes)]), file=sys.stderr)
    if by and len(table.names) > 1:
        raise DataError(f"{csv}, by={by!r}: which column is watched? --column says it: {', '.join(table.names)}")
    return [
        TimeSeries(series if by else name, one.times, one.values[:, i], (), one.clock, read.dialect)
        for series, one in read.tables.items()
        for i, name in enumerate(one.names)
    ]
