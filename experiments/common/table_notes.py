"""What is odd about a table, in words, and what it has."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.common.table_times import Clock

USUAL = {sign * (10.0**n - 1) for n in range(2, 7) for sign in (-1, 1)}
"""Numbers that often mark missing values: 99, -999, 9999 and the like."""


def far_from_all(column: str, values: np.ndarray) -> list[str]:
    """A note where one value, the least or the greatest, is far from all others, as a mark of missing values is.

    It is repeated, or it is one of the usual marks, and the next value is three times as far from it as the others are
    from each other.

    Args:
        column: its name.
        values: float64 `[T]`, NaN where a value is missing.
    """
    marks, known = dict[float, int](), values[~np.isnan(values)]
    while len(known) > 6:
        least, most = known.min(), known.max()
        others = known[(known != least) & (known != most)]
        if len(others) < 5 or (low := others.min()) == (high := others.max()):
            break
        far = {
            float(value): count
            for value, gap in ((least, low - least), (most, most - high))
            if ((count := int((known == value).sum())) > 1 or value in USUAL)
            and gap > 3 * (high - low)
            and count < len(others)
        }
        if not far:
            break
        marks |= far
        known = known[~np.isin(known, list(far))]
    notes = []
    for value, count in marks.items():
        are = f"values of {column} are" if count > 1 else f"value of {column} is"
        notes.append(
            f"{count:,} {are} {value:.12g}, far from all others ({known.min():g} to {known.max():g}): if that marks "
            f"missing values, say --missing {value:.12g}"
        )
    return notes


class Falling(NamedTuple):
    """Times that do not rise."""

    words: str
    mostly: bool
    """Whether more of them fall than rise."""


def is_falling(times: np.ndarray, lines: Sequence[int]) -> Falling | None:
    """Where times datetime64 `[T]` of rows on these lines are repeated or go back; None where they rise."""
    steps = np.diff(times).astype(np.int64)
    if (steps > 0).all():
        return None
    back, again = int((steps < 0).sum()), int((steps == 0).sum())
    line = lines[int((steps <= 0).argmax()) + 1]
    what = [f"goes back {back:,} time{'s' * (back > 1)}"] * (back > 0)
    what += [f"is repeated {again:,} time{'s' * (again > 1)}"] * (again > 0)
    return Falling(f"the clock {' and '.join(what)}, first in line {line}", back > len(steps) / 2)


def table_lines(name: str, tables: Mapping[str, tuple], clock: Clock, step: str) -> list[str]:
    """What was read, in words: rows, columns, first and last time, step, missing values.

    Args:
        name: of the file.
        tables: by series, see `experiments.common.tables.Table`.
        clock: of the times, in UTC.
        step: in words.
    """
    some = list(tables.values())
    rows, names = sum(len(one[0]) for one in some), some[0][2]
    ends = [min(one[0].min() for one in some), max(one[0].max() for one in some)]
    first, last = clock.tell(np.array(ends))
    of = f" of {len(some):,} series" if len(some) > 1 else ""
    missing = {
        column: count for i, column in enumerate(names) if (count := sum(int(np.isnan(t[1][:, i]).sum()) for t in some))
    }
    lines = [
        f"{name}: {rows:,} rows{of}, {len(names)} column{'s' * (len(names) > 1)} ({shortened(names)})",
        f"{first} to {last}, {step}",
    ]
    if missing:
        lines.append("missing values: " + shortened([f"{column} {count:,}" for column, count in missing.items()]))
    return lines


def shortened(words: Sequence[str], count: int = 8) -> str:
    """Words with commas between them, the first of them where there are many."""
    return ", ".join([*words[:count], *([f"and {len(words) - count} more"] if len(words) > count else [])])


def number_text(number: float, spread: float) -> str:
    """A number with all digits before the point, and after it those that count: six in a number as large as `spread`.

    What is printed is then as exact for prices near 30,000,000 as for shares near 0.001, and no number has an exponent.
    """
    digits = 5 - math.floor(math.log10(spread)) if spread > 0 else 6
    text = f"{number:.{min(max(digits, 0), 20)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
