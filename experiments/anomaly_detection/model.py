"""Watch series with their networks: row by row as they come, or many from end to end, side by side."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from experiments.anomaly_detection.anomaly_score import Strangeness, StrangenessSettings
from experiments.anomaly_detection.features import RowFeatures, RowScale
from experiments.anomaly_detection.training import Lesson, WatchSettings
from rnn_jax.data import pad
from rnn_jax.data.tables import Row
from rnn_jax.models.gaussian import WIDTH, GaussianModel
from rnn_jax.typing import Params


class Verdict(NamedTuple):
    """What was expected of a row, and how strange it is; numbers, or arrays `[T]` of all rows of a series."""

    expected: np.ndarray
    """In the units of the values, as are the ends of the interval that is to hold 90 %."""
    low: np.ndarray
    high: np.ndarray
    strangeness: np.ndarray
    """From 1 on an alarm, see `Strangeness`."""


class Watcher:
    """Watches one stream, row by row as it comes.

    Args:
        settings: of the run.
        model: the network of the series.
        scale: of the series.
        first: rows at the beginning that nothing is said of.
    """

    def __init__(self, settings: WatchSettings, model: GaussianModel, scale: RowScale, first: int):
        self._tell, self._judge = RowFeatures(scale, settings.ahead), Strangeness(settings, first)
        self._carry = model.initial_carry((1,))
        self._step = jax.jit(lambda carry, x: model.step(carry, x[None]))

    def __call__(self, time: np.datetime64, value: float) -> Verdict:
        """The verdict on the next row; a missing value, NaN, is not strange."""
        told = self._tell(time, value)
        self._carry, (mean, std) = self._step(self._carry, told.inputs)
        center, std = told.known + float(mean[0, 0]), float(std[0, 0])
        expected, low, high = self._tell.scale.to_values(center + np.array([0, -WIDTH, WIDTH]) * std)
        return Verdict(expected, low, high, np.array(self._judge(told.value, told.value - center)))


def alarms(watcher: Watcher, rows: Iterable[Row]) -> Iterator[str]:
    """The alarms in a stream of rows, each in words as soon as its row has come."""
    for row in rows:
        time, value = np.datetime64(row.time, "us"), float(row.values[0])
        verdict = watcher(time, value)
        if verdict.strangeness >= 1:
            yield alarm_line(time, value, verdict)


def alarm_line(time: np.datetime64, value: float, verdict: Verdict) -> str:
    """The verdict on one row in words."""
    expected, low, high, strangeness = (float(x) for x in verdict)
    when = str(time.astype("datetime64[s]")).replace("T", " ")
    return f"{when}  {value:g}, expected {expected:g} ({low:g} to {high:g}), strangeness {strangeness:.2f}"


def watch_all(
    settings: WatchSettings, rebuild: Callable[[Params], GaussianModel], params: Params, lessons: Sequence[Lesson]
) -> list[Verdict]:
    """The verdicts on all rows of series, their networks side by side; equal to those of a `Watcher` of each.

    Args:
        settings: of the run.
        rebuild: from the parameters of one network to its model.
        params: of all networks, `[S, ...]`.
        lessons: nothing is said of the rows that were learned from.
    """
    inputs, lengths = pad([np.stack([row.inputs for row in lesson.rows]) for lesson in lessons])
    compute = jax.jit(jax.vmap(lambda params, xs: rebuild(params)(xs)))
    found = compute(params, inputs.swapaxes(0, 1)[:, :, None])
    change, std = (np.asarray(x, np.float64)[:, :, 0, 0] for x in found)
    verdicts = []
    for i, (lesson, n) in enumerate(zip(lessons, lengths, strict=True)):
        mean = np.array([row.known for row in lesson.rows]) + change[i, :n]
        expected, low, high = (lesson.scale.to_values(mean + side * WIDTH * std[i, :n]) for side in (0, -1, 1))
        errors = np.array([row.value for row in lesson.rows]) - mean
        verdicts.append(Verdict(expected, low, high, judge_all(settings, lesson, errors)))
    return verdicts


def judge_all(settings: StrangenessSettings, lesson: Lesson, errors: np.ndarray) -> np.ndarray:
    """How strange each row of a series is, float64 `[T]`; errors `[T]` in its units."""
    judge = Strangeness(settings, lesson.learned)
    return np.array([judge(row.value, float(error)) for row, error in zip(lesson.rows, errors, strict=True)])
