"""How far apart the rows of a table are: a span of time, or a step of the calendar such as a month or a trading day."""

import dataclasses
import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

OFFSETS: Any = pd.offsets  # whose types are incomplete
DAY, WEEK = np.timedelta64(1, "D"), np.timedelta64(7, "D")
MONDAY = np.datetime64("2001-01-01", "us")
WEEKDAYS = np.array(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])


@dataclasses.dataclass(frozen=True)
class OpenHours:
    """Moments of a week that come again every week, as those at which an exchange is open.

    Attributes:
        moments: timedelta64[us] since the beginning of Monday, in order.
    """

    moments: tuple[np.timedelta64, ...]

    @classmethod
    def of(cls, times: np.ndarray) -> "OpenHours | None":
        """Those of some times, or None where these are at all hours, or at none in particular.

        A quarter of the week at least is never measured, and of what is left nine tenths are, over two weeks or more.
        """
        if len(times) < 3 or times[-1] - times[0] < 2 * WEEK:
            return None
        found = np.unique((times - MONDAY) % WEEK)
        if len(found) > 0.75 * (WEEK / most_common(np.diff(times))):
            return None
        pattern = cls(tuple(found))
        return pattern if len(times) >= 0.9 * len(pattern.between(times[0], times[-1])) else None

    def between(self, first: np.datetime64, last: np.datetime64) -> np.ndarray:
        """All such moments, both ends included: datetime64[us] `[T]`."""
        weeks = MONDAY + WEEK * np.arange((first - MONDAY) // WEEK, (last - MONDAY) // WEEK + 1)
        moments = (weeks[:, None] + np.array(self.moments)).reshape(-1).astype("datetime64[us]")
        return moments[(moments >= first) & (moments <= last)]


Step = BaseOffset | OpenHours
"""From one moment to the next, where it is not a span of time."""


def calendar_step(times: np.ndarray) -> Step | None:
    """The step of the calendar that all times are on, or None where they are so many hours or days apart.

    Months, quarters and years may begin or end there, or have a day of their own; days may leave out some days of the
    week, as trading days do, and hours those at which nothing is open. Times that are left out do not matter.

    Args:
        times: datetime64[us] `[T]`, in order, no two the same.
    """
    gaps = np.diff(times)
    if len(times) < 3 or (gaps % DAY != np.timedelta64(0)).any():
        return OpenHours.of(times)
    index, days = pd.DatetimeIndex(times), gaps // DAY
    if days.min() >= 27:
        months = np.asarray(index.year) * 12 + np.asarray(index.month)
        count = math.gcd(*np.diff(months).tolist())
        kinds = (pd.offsets.MonthBegin, pd.offsets.MonthEnd, pd.offsets.BMonthBegin, pd.offsets.BMonthEnd)
        if count:
            if found := next((kind for kind in kinds if all(map(kind().is_on_offset, index))), None):
                return found(count)
            if len(set(index.day)) == 1 and index[0].day <= 28:
                return pd.DateOffset(months=count)
    elif most_common(gaps) == DAY:
        open_days, span = sorted(set(index.day_of_week)), index[-1] - index[0]
        if open_days == [0, 1, 2, 3, 4] and span >= pd.Timedelta(days=7):
            return pd.offsets.BusinessDay()
        if 1 < len(open_days) < 7 and span >= pd.Timedelta(days=14):
            return OFFSETS.CustomBusinessDay(weekmask=" ".join(WEEKDAYS[open_days]))
        return None
    return _inferred(times) if len(set(days.tolist())) > 1 else None


def _inferred(times: np.ndarray) -> BaseOffset | None:
    """What pandas makes of days of which none is left out, such as the third Friday of each month."""
    if len(times) < 8:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a later version, which gives the offset itself
        offset = pd.tseries.frequencies.to_offset(pd.infer_freq(pd.DatetimeIndex(times)))
    if offset is None or isinstance(offset, pd.offsets.Tick | pd.offsets.Day | pd.offsets.Week):
        return None
    return offset if np.array_equal(moments_between(times[0], times[-1], offset), times) else None


def moments_between(first: np.datetime64, last: np.datetime64, step: Step) -> np.ndarray:
    """All moments a step of the calendar apart, both ends included: datetime64[us] `[T]`."""
    if isinstance(step, OpenHours):
        return step.between(first, last)
    found = pd.date_range(pd.Timestamp(first), pd.Timestamp(last), freq=step)
    return found.to_numpy().astype("datetime64[us]")


def moments_after(times: np.ndarray, more: int, step: Step | None) -> np.ndarray:
    """So many moments after the last of some times: a step of the calendar apart, or their most common spacing."""
    if step is None:
        return times[-1] + most_common(np.diff(times)) * np.arange(1, more + 1)
    if isinstance(step, OpenHours):
        weeks = more // len(step.moments) + 2
        return step.between(times[-1], times[-1] + weeks * WEEK)[1 : more + 1]
    found = pd.date_range(pd.Timestamp(times[-1]), periods=more + 1, freq=step)
    return found.to_numpy().astype("datetime64[us]")[1:]


def step_words(step: Step | np.timedelta64) -> str:
    """A step in words."""
    if isinstance(step, OpenHours):
        spacing = step_words(most_common(np.diff(np.array(step.moments))))
        return f"{spacing}, at {len(step.moments)} moments of the week"
    if isinstance(step, np.timedelta64):
        seconds = float(step / np.timedelta64(1, "s"))
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
            if seconds % size == 0:
                return f"{seconds / size:.0f} {unit}{'s' * (seconds > size)}"
        return f"{seconds:g} second{'s' * (seconds != 1)}"
    if isinstance(step, pd.offsets.CustomBusinessDay):
        return f"1 day of {step.kwds['weekmask'].replace(' ', ', ')}"
    if isinstance(step, pd.offsets.BusinessDay):
        return "1 day from Monday to Friday"
    months = step.kwds.get("months", step.n)
    whole: dict[type, str] = {
        pd.offsets.MonthEnd: " (its last day)",
        pd.offsets.BMonthEnd: " (its last day from Monday to Friday)",
        pd.offsets.BMonthBegin: " (its first day from Monday to Friday)",
    }
    if isinstance(step, (pd.offsets.MonthBegin, *whole)) or type(step) is pd.DateOffset:
        size, unit = next((n, u) for n, u in ((12, "year"), (3, "quarter"), (1, "month")) if months % n == 0)
        count = months // size
        return f"{count} {unit}{'s' * (count > 1)}{whole.get(type(step), '')}"
    return step.freqstr


def most_common(spacings: np.ndarray) -> np.timedelta64:
    """The spacing that there is most often, of several the shortest."""
    values, counts = np.unique(spacings, return_counts=True)
    return values[counts.argmax()]
