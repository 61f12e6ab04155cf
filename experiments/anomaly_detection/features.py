"""What a predictor reads of a series row by row: the rows some time before, and the clock."""

import collections
import dataclasses
import math
from typing import NamedTuple

import numpy as np

from experiments.anomaly_detection.data import TimeSeries
from experiments.anomaly_detection.nab_score import probationary
from rnn_jax.data import DataError

FEATURES = 7
"""How many numbers a predictor reads of a row."""
DAY = 24.0


@dataclasses.dataclass(frozen=True)
class SeriesScaling:
    """The units of one series, from its first rows: u = asinh((value − centre) / unit), near linear in the usual range.

    Attributes:
        centre: the median.
        unit: the standard deviation, 1 where all values are equal.
        gap: the median of the hours between two rows, 1 where it is 0.
    """

    centre: float
    unit: float
    gap: float

    @classmethod
    def fit(cls, times: np.ndarray, values: np.ndarray) -> "SeriesScaling":
        """The scaling of some rows: datetime64 `[n]` and float `[n]`, NaN where a value is missing.

        Raises:
            DataError: there are fewer than two values.
        """
        known = values[np.isfinite(values)]
        if len(known) < 2:
            raise DataError(f"the first {len(values)} rows have {len(known)} values: expected two at least")
        gap = float(np.median(np.diff(hours(times))))
        # Equal values need not have a deviation of exactly 0.
        unit = float(known.std()) if np.ptp(known) > 0 else 1.0
        return cls(float(np.median(known)), unit, gap if gap > 0 else 1.0)

    def to_unit(self, value: float) -> float:
        """A value in units of the series."""
        return math.asinh((value - self.centre) / self.unit)

    def to_values(self, u: np.ndarray) -> np.ndarray:
        """And back, for any shape."""
        return self.centre + self.unit * np.sinh(np.clip(np.asarray(u, np.float64), -50, 50))


class RowFeatures(NamedTuple):
    """One row, as a predictor and the anomaly score read it; in units of the series."""

    inputs: np.ndarray
    """float32 `[7]`, all that the predictor reads."""
    known: float
    """The newest value in it, `ahead` rows old; predictors say by how much the row's differs from this one."""
    value: float
    """The row's own, NaN where it is missing."""


class FeatureExtractor:
    """The features of the rows of one series as they come.

    They are the value `ahead` rows before and its change from the row before that, the time of the day as sine and
    cosine, how long ago the last row was, and by how much the value at the same time a day before differs from the
    known one, where there is such a row. A missing value counts as the one before, a time that goes back as the latest
    so far.

    Args:
        scaling: of the series.
        ahead: rows between what is known and what is to be predicted.
    """

    def __init__(self, scaling: SeriesScaling, ahead: int):
        self.scaling, self.ahead = scaling, ahead
        self._rows: collections.deque[tuple[float, float]] = collections.deque(maxlen=ahead + 1)
        self._aged: collections.deque[tuple[float, float]] = collections.deque()
        self._yesterday = (-math.inf, 0.0)
        self._latest = -math.inf

    def __call__(self, time: np.datetime64, value: float) -> RowFeatures:
        """Take the next row."""
        hour = max(float(hours(np.asarray([time]))[0]), self._latest)
        since = hour - self._latest if self._rows else 0.0
        self._latest = hour
        (then, known), (_, before) = (
            self._rows[-n] if len(self._rows) >= n else (math.inf, 0.0) for n in (self.ahead, self.ahead + 1)
        )
        same, old = self._same_time(hour - DAY, then, known)
        turn = 2 * math.pi * hour / DAY
        inputs = [known, known - before, math.sin(turn), math.cos(turn), math.log1p(since / self.scaling.gap)]
        inputs += [old - known, 1.0] if same else [0.0, 0.0]
        u = self.scaling.to_unit(value) if math.isfinite(value) else math.nan
        last = self._rows[-1][1] if self._rows else 0.0
        self._rows.append((hour, last if math.isnan(u) else u))
        return RowFeatures(np.array(inputs, np.float32), known, u)

    def _same_time(self, hour: float, then: float, known: float) -> tuple[bool, float]:
        """Whether there is a value of that hour, or up to one hour older, and the value; takes what is known since."""
        if then < math.inf:
            self._aged.append((then, known))
        while self._aged and self._aged[0][0] <= hour:
            self._yesterday = self._aged.popleft()
        return hour - self._yesterday[0] < 1.0, self._yesterday[1]


class SeriesFeatures(NamedTuple):
    """A series, and what its predictor reads of it."""

    series: TimeSeries
    training_rows: int
    """Rows at the beginning to train on; their anomaly score is 0."""
    scaling: SeriesScaling
    """From these rows alone."""
    rows: list[RowFeatures]
    """Of the whole series, each from the rows before it."""

    @classmethod
    def of(cls, series: TimeSeries, ahead: int, learn: int = 0) -> "SeriesFeatures":
        """The features of a series.

        Args:
            series: a series.
            ahead: rows between what is known and what is to be predicted.
            learn: rows to train on; 0 for the probationary period of the benchmark.

        Raises:
            DataError: the rows to train on are too few, have less than two values, or no value comes after them.
        """
        name, training_rows = series.name, learn or probationary(len(series.values))
        least = 2 * (ahead + 5)
        if training_rows < least:
            raise DataError(
                f"{name}: {training_rows} rows to learn from: expected {least} at least for ahead={ahead}; give a "
                f"series longer than its {len(series.values)} rows, or set learn"
            )
        if not np.isfinite(series.values[training_rows:]).any():
            raise DataError(
                f"{name} has {len(series.values)} rows: expected values after the first {training_rows}, to watch"
            )
        try:
            scaling = SeriesScaling.fit(series.times[:training_rows], series.values[:training_rows])
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        extract = FeatureExtractor(scaling, ahead)
        rows = [extract(t, float(v)) for t, v in zip(series.times, series.values, strict=True)]
        return cls(series, training_rows, scaling, rows)


def hours(times: np.ndarray) -> np.ndarray:
    """Times datetime64 `[n]` as hours since the beginning of 1970: float64 `[n]`."""
    return times.astype("datetime64[us]").astype(np.int64) / 3.6e9
