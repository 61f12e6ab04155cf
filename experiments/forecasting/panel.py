"""Several series on one row of moments: what is to be forecast, what it is forecast from, and where its parts begin."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.common.table_steps import OpenHours, Step, calendar_step, moments_after, moments_between, step_words
from experiments.common.table_times import Clock
from experiments.common.tables import Dialect, Table
from experiments.forecasting.covariates import Covariates
from rnn_jax.data.download import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """Series that are forecast by one model.

    Attributes:
        times: datetime64[us] `[T]`.
        target: float64 `[S, T]`, what is forecast; NaN where it is missing.
        inputs: float64 `[S, T, D]`, what it is forecast from; NaN where a value is missing.
        names: of the D inputs.
        series: names of the S series.
        unit: of the target.
        validation: the first step of the validation part; the training part is before it.
        test: the first step of the test part, which is the rest.
        step: of the calendar, from each moment to the next; None where they are a span of time apart.
        clock: how the moments are told.
        ends: int `[S]`, the step after the last one of each series; T for all where it is None.
        covariates: what else is known, at T steps or more; nothing where it is None.
        later: datetime64[us] `[T' − T]`, the moments of the steps after the T ones at which covariates are known.
        lines: int `[S, T']`, the line of each step in the file, 0 where it has none; None where that is not known.
        table: how the file is written; None where there is none.
    """

    times: np.ndarray
    target: np.ndarray
    inputs: np.ndarray
    names: list[str]
    series: list[str]
    unit: str
    validation: int
    test: int
    step: Step | None = None
    clock: Clock = Clock()
    ends: np.ndarray | None = None
    covariates: Covariates | None = None
    later: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, "datetime64[us]"))
    lines: np.ndarray | None = None
    table: Dialect | None = None

    def moments(self, more: int) -> np.ndarray:
        """The times, and so many more after them: as the calendar goes on, or the most common spacing apart.

        datetime64[us] `[T + more]`.
        """
        told = np.concatenate([self.times, self.later[:more]])
        return np.concatenate([told, moments_after(told, len(self.times) + more - len(told), self.step)])

    @property
    def last_steps(self) -> np.ndarray:
        """The last step of each series: int `[S]`."""
        return np.full(len(self.series), len(self.times) - 1) if self.ends is None else self.ends - 1

    @property
    def known(self) -> Covariates:
        """What else is known."""
        return self.covariates or Covariates.none(len(self.series), len(self.times))

    def there(self, series: int) -> list[tuple[str, np.ndarray]]:
        """The columns that are read, and where each has a value in a series: bool `[T]`."""
        known, steps = self.known, len(self.times)
        found = [(name, ~np.isnan(self.inputs[series, :, i])) for i, name in enumerate(self.names)]
        found += [(name, ~np.isnan(known.future[series, :steps, i])) for i, name in enumerate(known.future_names)]
        found += [(name, known.words[series, :steps, i] >= 0) for i, name in enumerate(known.categories)]
        return found + [
            (name, np.full(steps, not np.isnan(known.static[series, i]))) for i, name in enumerate(known.static_names)
        ]

    @property
    def step_words(self) -> str:
        """How far the moments are apart, in words."""
        return step_words(self.step if self.step is not None else self.moments(1)[-1] - self.times[-1])


def in_steps_of_calendar(tables: Mapping[str, Table]) -> tuple[dict[str, Table], Step | None, Clock]:
    """Series with times in which they are steps apart, the step, if it is one of the calendar, and how times are told.

    Days and longer steps begin with the days of the zone, which summer time makes shorter or longer, so that these
    times are those of the zone; shorter steps are counted in UTC.
    """
    clock = next(iter(tables.values())).clock
    local = {name: table._replace(times=clock.to_local(table.times)) for name, table in tables.items()}
    times = np.unique(np.concatenate([table.times for table in local.values()]))
    day = np.timedelta64(1, "D")
    if len(times) > 1 and (np.diff(times) % day == np.timedelta64(0)).all():
        return local, calendar_step(times), dataclasses.replace(clock, local=True)
    hours = calendar_step(times)  # those of the week are of the zone, too
    if isinstance(hours, OpenHours):
        return local, hours, dataclasses.replace(clock, local=True)
    return dict(tables), None, clock


def on_grid(
    tables: Mapping[str, Table], name: str, *, fill: bool = True, calendar: Step | None = None, learned: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Series on the same moments, a step apart: the step is the spacing that their times have most often.

    Moments that a series leaves out have NaN for all values, and so have those before its first and after its last row.

    Args:
        tables: series with the same columns.
        name: of what they were read from, for messages.
        fill: with False every row is the step after the one before, however far apart; all series have the same times.
        calendar: a step of the calendar in place of a spacing.
        learned: whether a model is there already, so that what a row is cannot be chosen any more.

    Returns:
        Times datetime64[us] `[T]` and values float64 `[S, T, D]`.

    Raises:
        DataError: a time is no whole number of steps after the first one, or more moments are left out than there are;
            with `fill=False`, the times of two series differ.
    """
    first = next(iter(tables.values()))
    if not fill:
        for series, table in tables.items():
            if not np.array_equal(table.times, first.times):
                raise DataError(f"{name}: the series {series!r} has other times than the first one: fill the gaps")
        return first.times, np.stack([table.values for table in tables.values()])
    spacings = np.concatenate([np.diff(table.times) for table in tables.values()])
    if not len(spacings):
        raise DataError(f"{name} has a single row: expected a series")
    start, end = (ends(table.times[at] for table in tables.values()) for ends, at in ((min, 0), (max, -1)))
    if calendar is not None:
        step, moments = calendar, moments_between(start, end, calendar)
        places = {series: np.searchsorted(moments, table.times) for series, table in tables.items()}
        apart = {series: moments[place] != tables[series].times for series, place in places.items()}
    else:
        values, counts = np.unique(spacings, return_counts=True)
        step = values[counts.argmax()]
        parts = {series: (table.times - start) / step for series, table in tables.items()}
        moments = start + np.arange(int(max(place[-1] for place in parts.values())) + 1) * step
        places = {series: place.astype(int) for series, place in parts.items()}
        apart = {series: place % 1 != 0 for series, place in parts.items()}
    hint = "correct it, or take rows as steps, however far apart, with fill_gaps=False (--no-fill-gaps)"
    hint = "correct it" if learned else hint
    for series, off in apart.items():
        if off.any():
            time, of = tables[series].times[off][0], f" of {series!r}" if series else ""
            raise DataError(f"{name}: the time {time}{of} is not on the grid of steps of {step_words(step)}: {hint}")
    rows, length = sum(len(table.times) for table in tables.values()), len(moments)
    spanned = sum(int(place[-1] - place[0]) + 1 for place in places.values())  # series may begin late and end early
    if spanned > 2 * rows:
        raise DataError(f"{name}: {rows:,} rows on {spanned:,} moments, {step_words(step)} apart: {hint}")
    values = np.full((len(tables), length, first.values.shape[1]), np.nan)
    for i, (series, place) in enumerate(places.items()):
        values[i, place] = tables[series].values
    return moments, values


def parts_of(steps: int) -> tuple[int, int]:
    """Where the validation and the test part of so many steps begin: after 70 % and 80 %."""
    return steps * 7 // 10, steps * 8 // 10


def calendar(times: np.ndarray, cycles: Sequence[str]) -> np.ndarray:
    """The place of moments in the cycles "day", "week" and "year": a cosine and a sine each, float64 `[T, 2C]`.

    Raises:
        ValueError: a cycle is none of these.
    """
    days = (times - np.datetime64("2001-01-01")) / np.timedelta64(1, "D")  # a Monday
    years = {"day": 1.0, "week": 7.0, "year": 365.2425}
    if unknown := set(cycles) - set(years):
        raise ValueError(f"calendar={','.join(cycles)!r}: {unknown.pop()!r} is none of {', '.join(years)}")
    angles = 2 * np.pi * days[:, None] / np.array([years[cycle] for cycle in cycles]).reshape(1, -1)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def carried_forward(values: np.ndarray) -> np.ndarray:
    """The last value that is not missing, up to each step; axis 1 is time. NaN where there was none yet."""
    steps = np.arange(values.shape[1]).reshape(1, -1, *(1,) * (values.ndim - 2))
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, steps), axis=1)
    return np.where(last < 0, np.nan, np.take_along_axis(values, np.maximum(last, 0), axis=1))


def season_before(last: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The steps one season before each of the next ones, further ahead several: int `[N, H]`, none before the first.

    Args:
        last: int `[N]`, the last steps that are known.
        horizon: H, how many come next.
        season: its steps, 1 or more.
    """
    return np.maximum(last[:, None] + 1 - season + np.arange(horizon) % season, 0)
