"""When something was measured: the ways in which tables write times, told apart by all cells of a column."""

import dataclasses
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from rnn_jax.data.download import DataError

OFFSET = re.compile(r"\s*(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$")
DAY_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*([AaPp])?\.?(?:[Mm]\.?)?")
YEAR_FIRST = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2})(?:[ T]+(.+))?)?)?")
YEAR_LAST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d\d)\.?,?(?:[ T]+(.+))?")
QUARTER = re.compile(r"(?:(\d{4})[ /-]*)?[Qq]([1-4])(?:[ /-]*(\d{4}))?")
_IN_FULL = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?").fullmatch
_PADDED = re.compile(r"\d\d([./-])\d\d\1\d{4}(?:[ T]\d\d:\d\d(?::\d\d)?)?").fullmatch
EPOCHS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
"""Microseconds in each unit of times that are counted from the beginning of 1970, in UTC."""
DIGITS = {6: "%Y%m", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 13: "ms", 16: "us", 19: "ns"}
"""What whole numbers of so many digits are."""
WORDS = [
    f"{date}{time}"
    for time in ("", " %H:%M", " %H:%M:%S")
    for date in ("%b %Y", "%B %Y", "%b-%Y", "%Y %b", "%Y-%b", "%m/%Y", "%m.%Y", "%m-%Y", "%d %b %Y", "%d-%b-%Y",
                 "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d/%b/%Y", "%a %b %d %Y")
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Clock:
    """How the times of a table are told, as the table itself tells them.

    Attributes:
        zone: "" where it does not say; else an offset from UTC such as +02:00, or a zone such as Europe/Berlin.
        form: what a time says at least: "time", "day", "month", "quarter" or "year".
        local: whether the times that it tells are those of the zone; else they are in UTC.
    """

    zone: str = ""
    form: str = "time"
    local: bool = False

    def to_local(self, times: np.ndarray) -> np.ndarray:
        """Times of the zone from times in UTC, datetime64[us]."""
        if self.zone in ("", "Z", "+00:00"):
            return times
        moved = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(self.zone).tz_localize(None)
        return moved.to_numpy().astype("datetime64[us]")

    def to_utc(self, time: datetime) -> datetime:
        """A time in UTC from one of the zone; of an hour that is repeated, the first."""
        return time.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC).replace(tzinfo=None)

    def tell_row(self, time: datetime | np.datetime64) -> str:
        """One time, in UTC, in words: with a space, and as many digits as it needs."""
        (text,) = self.tell(np.array([time], "datetime64[us]"))
        return text.replace("T", " ")

    def tell(self, times: np.ndarray) -> list[str]:
        """Times in words: ISO 8601, with the offset from UTC where there is one, and as many digits as all need."""
        times = np.asarray(times, "datetime64[us]")
        if self.form == "quarter":
            return [str(period) for period in pd.DatetimeIndex(times).to_period("Q")]
        units = {"year": "Y", "month": "M", "day": "D"}
        unit: Any = units.get(self.form, "") if not self.zone else ""
        if not unit or (times.astype(f"datetime64[{unit}]") != times).any():
            unit = next(u for u in ("s", "ms", "us") if u == "us" or (times.astype(f"datetime64[{u}]") == times).all())
        if self.zone == "Z" or not self.zone:
            return [f"{text}{self.zone}" for text in np.datetime_as_string(times, unit=unit).tolist()]
        index = pd.DatetimeIndex(times)
        if self.local:
            index = index.tz_localize(self.zone, ambiguous=np.ones(len(times), bool), nonexistent="shift_forward")
        else:
            index = index.tz_localize("UTC").tz_convert(self.zone)
        told = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}.get(unit, "seconds")
        return [stamp.isoformat(timespec=told) for stamp in index.to_pydatetime().tolist()]


class Times(NamedTuple):
    """A column of times."""

    utc: np.ndarray
    """datetime64[us] `[T]`: in UTC where cells have an offset from it, else as they stand."""
    offsets: list[str]
    """The different offsets, in order of their first row; none where cells have none."""
    form: str
    """Of `Clock`."""
    last: str
    """The offset of the last row; "" where there is none."""


def tell_time_form(cells: Sequence[str], column: str) -> str:
    """How a column of stripped cells writes times: what `read_time` and `read_times` need to know.

    Raises:
        DataError: they are no times, or the day cannot be told from the month; the message has no name of a file.
    """
    first = cells[0]
    if QUARTER.fullmatch(first):
        return "quarter"
    if first.replace(".", "", 1).isdigit() and not YEAR_LAST.fullmatch(first):
        whole = first.partition(".")[0]
        if len(whole) == 4 and 1500 <= int(whole) <= 2200 and whole == first:
            return "iso"
        if len(whole) == 10 and all("1900" <= cell[:4] <= "2100" and _fits(cell, "%Y%m%d%H") for cell in cells):
            return "%Y%m%d%H"
        if len(whole) in (9, 10):
            return "s"
        form = DIGITS.get(len(whole), "")
        if form in EPOCHS or (form and whole == first and _fits(first, form)):
            return form
    elif YEAR_FIRST.fullmatch(first):
        return "iso"
    elif YEAR_LAST.fullmatch(first):
        return _day_or_month(cells, column)
    else:
        spaced = re.sub(r"\s+", " ", first)
        if found := next((form for form in WORDS if _fits(spaced, form)), ""):
            return found
    raise DataError(
        f"column {column!r}: {first!r} is no time: expected ISO 8601, such as 2013-01-31 06:00:00, or another common "
        "form; say --time-format, such as %d.%m.%Y %H:%M; if the times are in another column, name it with --time"
    )


def _fits(cell: str, form: str) -> bool:
    try:
        return 1500 <= datetime.strptime(cell, form).year <= 2200
    except ValueError:
        return False


def _day_or_month(cells: Sequence[str], column: str) -> str:
    """Whether the day is first or the month, which one large number says of the whole column."""
    day = month = ""
    same = True
    mark = ""
    for cell in dict.fromkeys(cell.partition(" ")[0] for cell in cells):
        if found := YEAR_LAST.fullmatch(cell):
            left, right, mark = int(found[1]), int(found[3]), found[2]
            day = day or (cell if left > 12 else "")
            month = month or (cell if right > 12 else "")
            same = same and left == right
            if mark == "-" and len(found[4]) == 2:
                raise DataError(f"column {column!r}: {cell!r}: which is the year? say --time-format, such as %d-%m-%y")
    if day and month:
        raise DataError(
            f"column {column!r} has {day!r}, the day first, and {month!r}, the month first: write all in one way"
        )
    if not (day or month or same or mark == "."):
        raise DataError(
            f"column {column!r}: {cells[0]!r} and all others may have the day first or the month: say "
            f"--time-format %d{mark}%m{mark}%Y or --time-format %m{mark}%d{mark}%Y, with %H:%M behind it where they "
            "have a time of the day"
        )
    return "month first" if month else "day first"


def to_iso(cell: str, form: str) -> str | None:
    """A time as ISO 8601 in full; None where the cell is none of that form."""
    if form == "quarter":
        found = QUARTER.fullmatch(cell)
        year = found and (found[1] or found[3])
        return f"{year}-{3 * int(found[2]) - 2:02d}-01" if found and year else None
    if form == "iso":
        found = YEAR_FIRST.fullmatch(cell)
        if found is None:
            return None
        year, month, day, rest = found[1], found[2] or 1, found[3] or 1, found[4]
    else:
        found = YEAR_LAST.fullmatch(cell)
        if found is None:
            return None
        day, month, year, rest = found[1], found[3], found[4], found[5]
        if form == "month first":
            day, month = month, day
        if len(year) == 2:  # as POSIX has it
            year = f"{'19' if year >= '69' else '20'}{year}"
    time = _day_time(rest) if rest else ""
    return None if time is None else f"{year}-{int(month):02d}-{int(day):02d}{time}"


def _day_time(text: str) -> str | None:
    """A time of the day as ISO 8601 has it, with its offset."""
    offset = OFFSET.search(text)
    found = DAY_TIME.fullmatch(text[: offset.start()] if offset else text)
    if found is None:
        return None
    hour, half = int(found[1]), (found[5] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + 12 * (half == "p") if half else hour
    fraction = f".{found[4]}" if found[4] else ""
    return f"T{hour:02d}:{found[2]}:{found[3] or '00'}{fraction}{_full(offset[1]) if offset else ''}"


def _full(offset: str) -> str:
    """An offset as +02:00, or Z."""
    if offset[0] not in "+-":
        return "Z"
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return f"{offset[0]}{digits[:2]}:{digits[2:]}"


def offset_of(cell: str) -> str:
    """How far from UTC a time says it is, as +02:00 or Z; "" where it does not say it."""
    tail = cell[10:]
    if tail.replace(":", "").replace(".", "").lstrip(" T").isdigit() or not tail:
        return ""
    found = OFFSET.search(tail)
    return _full(found[1]) if found else ""


def read_times(cells: Sequence[str], form: str) -> tuple[Times, int | None]:
    """The times in stripped cells, and the place of the first that is none of this form.

    That is also the place where offsets from UTC begin or end, with "" among them, where only some times have one.

    Args:
        cells: of a column.
        form: of `tell_time_form`, or a format of strptime.
    """
    if form in EPOCHS:
        numbers = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(np.float64)
        whole = np.nan_to_num(numbers) if np.isfinite(numbers).all() else np.zeros(len(cells))
        if form in ("us", "ns") and np.isfinite(numbers).all():
            utc = np.array([int(cell.partition(".")[0]) for cell in cells]) // (1000 if form == "ns" else 1)
        else:
            utc = np.rint(whole * EPOCHS[form]).astype(np.int64)
        return Times(utc.astype("datetime64[us]"), ["Z"], "time", "Z"), _first(~np.isfinite(numbers))
    known = form in ("iso", "day first", "month first", "quarter")
    texts: Any = cells
    if form in ("day first", "month first") and all(map(_PADDED, cells)):  # as `to_iso` has it, but sooner
        day, month = (slice(2), slice(3, 5)) if form == "day first" else (slice(3, 5), slice(2))
        texts = [f"{cell[6:10]}-{cell[month]}-{cell[day]}{cell[10:]}" for cell in cells]
    elif known and not (form == "iso" and all(map(_IN_FULL, cells))):
        texts = [to_iso(cell, form) for cell in cells]
    offsets = list(dict.fromkeys(map(offset_of, dict.fromkeys(f"2000-01-01{cell[10:]}" for cell in cells))))
    if "" in offsets and len(offsets) > 1:
        odd = next(i for i, cell in enumerate(cells) if (offset_of(cell) == "") != (offset_of(cells[0]) == ""))
        return Times(np.zeros(0, "datetime64[us]"), offsets, "time", ""), odd
    zoned = offsets != [""]
    how = "ISO8601" if known else form
    if not known:
        texts = [re.sub(r"\s+", " ", cell) for cell in cells]
    index = pd.DatetimeIndex(pd.to_datetime(pd.Series(texts, dtype=object), format=how, errors="coerce", utc=zoned))
    wrong = _first(np.asarray(index.isna()))
    utc = index.tz_localize(None) if zoned else index
    said = Times(
        utc.to_numpy().astype("datetime64[us]"), offsets if zoned else [], _least(cells, form), offset_of(cells[-1])
    )
    return said, wrong


def read_time(cell: str, form: str) -> tuple[datetime, str] | None:
    """The time in one cell, as `read_times` has it, and its offset; None where it is none of this form."""
    try:
        if form in EPOCHS:
            return datetime(1970, 1, 1) + timedelta(microseconds=round(float(cell) * EPOCHS[form])), "Z"
        known = form in ("iso", "day first", "month first", "quarter")
        text = to_iso(cell, form) if known else re.sub(r"\s+", " ", cell)
        if text is None:
            return None
        time = datetime.fromisoformat(text) if known else datetime.strptime(text, form)
        return (time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time), offset_of(cell)
    except (ValueError, OverflowError):
        return None


def form_words(form: str) -> str:
    """A form of times in words."""
    known = {"iso": "ISO 8601, such as 2013-01-31 06:00:00", "quarter": "a quarter, such as 2013Q1",
             "day first": "day, month and year, such as 31.01.2013 06:00",
             "month first": "month, day and year, such as 01/31/2013 06:00"}  # fmt: skip
    return known.get(form, f"the form {form}" if "%" in form else f"a number, {form} since 1970")


def _first(wrong: np.ndarray) -> int | None:
    return int(np.argmax(wrong)) if wrong.any() else None


def _least(cells: Sequence[str], form: str) -> str:
    """What the times of a column say at least: a year, a quarter, a month, a day, or a time of the day."""
    if form == "quarter":
        return form
    if form == "iso":
        longest = max(map(len, cells))
        return "year" if longest == 4 else "month" if longest <= 7 else "day" if longest <= 10 else "time"
    if form in ("day first", "month first"):
        return "time" if any(":" in cell for cell in cells) else "day"
    return "time" if "%H" in form or "%I" in form or form in EPOCHS else "day" if "%d" in form else "month"
