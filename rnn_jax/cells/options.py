"""Checks that numeric options of cells have in common."""

import math
from typing import Any

Number = int | float


def check_number(
    name: str, value: Any, *, above: Number | None = None, least: Number | None = None, most: Number | None = None
) -> None:
    """Raise a ValueError unless `value` is a finite number > `above`, >= `least` and <= `most`, those given."""
    good = isinstance(value, Number) and not isinstance(value, bool) and math.isfinite(value)
    good = good and (above is None or value > above)
    good = good and (least is None or value >= least) and (most is None or value <= most)
    if not good:
        limits = {"above": above, "at least": least, "at most": most}
        wanted = " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if limit is not None)
        raise ValueError(f"{name}={value!r}: expected a finite number {wanted}".rstrip())


def check_time_steps(dt_min: Any, dt_max: Any) -> None:
    """Raise a ValueError unless 0 < `dt_min` <= `dt_max`: the range that a state space model's time steps start in."""
    check_number("dt_min", dt_min, above=0)
    check_number("dt_max", dt_max, least=dt_min)
