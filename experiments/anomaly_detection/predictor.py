"""What trained detectors say of each new row of their series."""

import contextlib
import dataclasses
import io
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.anomaly_detection.anomaly_score import RULES
from experiments.anomaly_detection.detector import ALARM, Detection, Detector
from experiments.anomaly_detection.features import FEATURES
from experiments.anomaly_detection.labels import Windows, read_windows
from experiments.anomaly_detection.scores import alarm_measures
from experiments.cli import Flags
from experiments.common.prediction import STANDARD_INPUT, Input, Item, Predictor, Record, stacked
from experiments.common.reading import say
from experiments.common.table_cells import TOLD, TableConfig
from experiments.common.table_rows import BadRow, Row, TableRows
from experiments.common.tables import Dialect
from experiments.common.text import open_unpacked, read_file_text
from rnn_jax.data import DataError, read_lines
from rnn_jax.models.gaussian import WIDTH
from rnn_jax.train import Trained

DIALECT = "table.json"
"""In the directory of a run: how the table was written that it has learned from."""


class Watched(NamedTuple):
    """A row of a series as its detector has seen it."""

    series: int
    """Its place among those of the run."""
    row: Row
    value: float
    detection: Detection
    inputs: np.ndarray
    """What the network has read of it, float32 `[7]`."""


class AnomalyDetectionPredictor(Predictor):
    """Whether each row of a table is an anomaly, what was expected, and how sure that was."""

    batch_size = 1  # rows are detected one after the other as they are read

    def __init__(
        self, trained: Trained, series: str = "", column: str = "", silent: int = 200, by: str = "", labels: str = "",
        table: Flags[TableConfig] = TOLD,
    ):  # fmt: skip
        """See above.

        Args:
            trained: the networks.
            series: the one that is watched, where the run has several; by default all that it has learned from a table.
            column: of the table; by default those that the networks have learned, or else the first.
            silent: rows of a series at the beginning that show what is usual, and give no alarm.
            by: the column that says which series a row belongs to; as in training if not given.
            labels: where anomalies are, for `evaluate --data`: a table with the columns from and to (and series), or
                JSON as that of the benchmark, {"SERIES": [[FROM, TO], ...]}.
            table: how it is written, where it is not written as the one that was learned from.
        """
        super().__init__(trained)
        config, self.scalings = trained.config, trained.preprocessor
        self.names = list(self.scalings)
        self.known = known = ", ".join(self.names[:20]) + ", ..." * (len(self.names) > 20)
        if by and not config.series.by:
            raise ValueError(f"by={by!r}: the run has not learned series that a column tells apart; leave it out")
        self.by = by or config.series.by
        self.unsaid = f"series={series!r}: expected one that the run has learned: {known}"
        if series and series not in self.names:
            raise ValueError(self.unsaid)
        self.series = [series] if series else self.names
        if column and not self.by and len(self.series) > 1:
            raise ValueError(f"column={column!r}: say which series it is, --series, of {known}")
        own = [config.series.column] if config.series.column or self.by else self.series
        self.columns = list(filter(None, [column] if column else own if config.series.csv else []))
        self.silent, self.labels = silent, labels
        stored = trained.run.path / DIALECT
        self.learned = Dialect(**trained.run.read_json(DIALECT)) if stored.exists() else None
        before, self.sort = config.series.table, table.sort
        if self.learned and not before.time:
            before = dataclasses.replace(before, time=self.learned.time)
        self.table = table.over(before)
        self.told_silent = False
        self._step = jax.jit(lambda params, carry, x: trained.rebuild(params).step(carry, x[None]))

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Features of rows, and the numbers of their series."""
        return {"rows": Input(f"time, batch, {FEATURES}", "float32"), "series": Input("batch", "int32")}

    def rows(self, lines: Iterable[str], source: str) -> TableRows:
        """The rows of a table."""
        return TableRows(lines, source, self.table, columns=self.columns, learned=self.learned, by=self.by)

    def arranged(self, rows: Iterable[Any], file: str) -> Iterator[Any]:
        """Rows as they come, or in order of time, bad ones first; those whose clock goes back are said.

        Raises:
            ValueError: standard input is to be sorted.
        """
        if self.sort and file == STANDARD_INPUT:
            raise ValueError("sort=True: rows of standard input are watched as they come; sort a file")
        if self.table.sort and file != STANDARD_INPUT:
            rows = sorted(rows, key=lambda row: (False, row.number) if isinstance(row, BadRow) else (True, row.time))
        return warned_of(rows, "standard input" if file == STANDARD_INPUT else file)

    def say_silent(self) -> None:
        """Say once that the first rows give no alarm."""
        if self.silent and not self.told_silent:
            self.told_silent = True
            say(f"note: the first {self.silent:,} rows of a series show what is usual, and give no alarm: --silent "
                "says how many they are")  # fmt: skip

    def detector(self, name: str) -> Detector:
        """The detector of a series, at its beginning."""
        params = jax.tree.map(lambda x: x[self.names.index(name)], self.trained.params)
        model = self.trained.rebuild(params)
        step = lambda carry, x: self._step(params, carry, x)  # noqa: E731
        return Detector(self.trained.config, model, self.scalings[name], self.silent, step)

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """The rows of a table, as they come; of each series that is watched its own."""
        source = "standard input" if file == STANDARD_INPUT else file
        if self.labels and not labelled:
            raise DataError(f"labels={self.labels!r} is for evaluate --data; leave it out")
        if len(self.series) > 1 and not self.trained.config.series.csv:  # each in a table of its own
            raise DataError(self.unsaid)
        windows = self._windows(file) if labelled else None
        seen, waiting = set[int](), dict[int, list[Item]]()
        detectors = {name: self.detector(name) for name in self.series}
        with lines_of(file, source) as lines:
            table = self.rows(lines, source)
            if self.by and len(table.names) > 1:
                raise DataError(f"{source}: which column is watched? --column says it: {', '.join(table.names)}")
            self.say_silent()
            for row in self.arranged(table.each(), file):
                if isinstance(row, BadRow):
                    yield Item(row.number, row.error)
                    continue
                if self.by and row.series not in detectors:
                    if row.series in self.names:
                        continue  # another one is asked for
                    wrong = f"series {row.series!r} is none of those learned, {self.known}"
                    yield Item(row.number, DataError(wrong))
                    continue
                for item in self._watched(row, detectors, windows):
                    series = item.value.series
                    if series not in seen and np.isnan(item.value.value):
                        waiting.setdefault(series, []).append(item)  # until there is a value at all
                        continue
                    seen.add(series)
                    yield from (*waiting.pop(series, []), item)
        for series, items in waiting.items():
            yield Item(self.names[series], DataError(without_values(len(items))))
        if windows and (unseen := windows.unseen):
            raise DataError(f"labels={self.labels!r}: no row of {file} is in {'; '.join(unseen[:5])}")

    def _watched(self, row: Row, detectors: Mapping[str, Detector], windows: Windows | None) -> Iterator[Item]:
        names = [row.series] if self.by else self.series
        for name, value in zip(names, row.values.tolist(), strict=False):
            detection = detectors[name](time := np.datetime64(row.time, "us"), value)
            watched = Watched(self.names.index(name), row, value, detection, detectors[name].inputs)
            label = None if windows is None else (name, windows.of(name, time))
            yield Item(row.number if len(names) == 1 else f"{row.number} {name}", watched, label)

    def _windows(self, file: str) -> Windows:
        if not self.labels:
            raise DataError(f"{file}: where its anomalies are, --labels FILE has to say")
        return read_windows(self.labels, self.series, self.table.zone)

    def encode(self, values: Sequence[Watched]) -> dict[str, np.ndarray]:
        """What the networks read of rows, each as the first of its series."""
        rows = stacked([value.inputs for value in values])[None]
        return {"rows": rows, "series": stacked([np.array(value.series, np.int32) for value in values])}

    def program(self, rows: jax.Array, series: jax.Array) -> dict[str, jax.Array]:
        """Rows `[T, B, 7]` of series `[B]` to mean and deviation of what is expected, `[T, B]`, in its units."""
        params = jax.tree.map(lambda x: x[series], self.trained.params)
        expect = jax.vmap(lambda params, xs: self.trained.rebuild(params)(xs[:, None]), in_axes=(0, 1), out_axes=1)
        mean, std = (x[:, :, 0, 0] for x in expect(params, rows))
        return {"mean": mean, "std": std}

    def decode(self, values: Sequence[Watched], outputs: Any) -> list[Record]:
        """What the detectors have said of rows; the program is not asked again."""
        records = []
        for series, row, value, detection, _ in values:
            expected, low, high, score = (float(x) for x in detection)
            known = None if math.isnan(value) else value
            record = {"alarm": score >= ALARM, "score": score, "value": known, "expected": expected}
            record |= {"90 %": {"low": low, "high": high}, "time": row.told}
            records.append(record | ({"series": self.names[series]} if len(self.series) > 1 else {}))
        return records

    def answer(self, values: Sequence[Watched]) -> list[Record]:
        """What the detectors have said."""
        return self.decode(values, None)

    def measures(self, labels: Sequence[tuple[str, int]], records: Sequence[Record]) -> dict[str, Any]:
        """Precision, recall and F1 of alarms, and the score of the Numenta Anomaly Benchmark."""
        return alarm_measures(labels, [record["score"] for record in records])

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How rows become features, and predictions anomaly scores."""
        config = self.trained.config
        return {
            "series": {name: dataclasses.asdict(scaling) for name, scaling in self.scalings.items()},
            "units": "u(value) = asinh((value - centre) / unit); a missing value counts as the one before, at first 0",
            "rows": {
                "ahead": config.model.ahead,
                "1": "known: u of the row `ahead` rows before; 0 where there is none, for all of these",
                "2": "known less u of the row before that",
                "3": "sin(2 pi h / 24), h the hours since 1970 began, of the clock of the table in UTC; a clock that "
                     "goes back counts as the latest so far",
                "4": "cos of the same",
                "5": "ln(1 + hours since the row before / gap)",
                "6": "u of the newest row, at least `ahead` rows old, of 24 to 25 hours before (not 25 itself), less "
                     "known; 0 where there is none",
                "7": "1 where there is one, else 0",
            },
            "outputs": {
                "mean": "float32 [time, batch]: u of the row less known",
                "std": f"its standard deviation; the interval of 90 % is known + mean ± {WIDTH} std; sinh, unit and "
                       "centre lead back from u to values",
            },
            "score": {
                "how": RULES[config.score.rule] + " It is 0 for a missing value, in the first `silent` rows, and where "
                      "one of the last `quiet` rows had as high a one.",
                "alarm": ALARM, "silent": self.silent, **dataclasses.asdict(config.score),
            },
        }  # fmt: skip


def without_values(rows: int) -> str:
    """That there is nothing to watch in so many rows."""
    return (
        f"none of its {rows:,} rows has a value: nothing was watched; fill some in, name another column with --column, "
        "or leave the series out"
    )


def with_values(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows themselves, of a single column.

    Raises:
        DataError: after the last one, if none had a value.
    """
    count = known = 0
    for row in rows:
        count, known = count + 1, known + int(not np.isnan(row.values[0]))
        yield row
    if count and not known:
        raise DataError(without_values(count))


@contextlib.contextmanager
def lines_of(file: str, source: str) -> Iterator[Iterable[str]]:
    """The lines of a file, in any encoding, or of a stream as they come."""
    if file != "-" and Path(file).is_file():
        whole = read_file_text(file)
        say(whole.notes)
        yield io.StringIO(whole.text)
        return
    with contextlib.nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
        yield read_lines(open_unpacked(stream), source)


def warned_of(rows: Iterable[Any], source: str) -> Iterator[Any]:
    """The rows themselves, bad ones too; the first whose clock is no later than before is said, then how many."""
    latest: dict[str, Any] = {}
    late = 0
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        last = latest.get(row.series)
        if last is not None and row.time <= last:
            late += 1
            if late == 1:
                what = "is repeated" if row.time == last else f"goes back from {last}"
                print(f"note: {source}, row {row.number}: the clock {what}, at {row.told}; watched on", file=sys.stderr)
        latest[row.series] = row.time
        yield row
    if late > 1:
        print(f"note: {source}: the clock was repeated or went back {late:,} times", file=sys.stderr)
