"""Between which values the columns of training were, and values of new tables that are far outside of that."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.forecasting.panel import Panel
from experiments.forecasting.scaling import Scaling


def training_ranges(panel: Panel, end: int) -> dict[str, list[list[float | None]]]:
    """The least and the greatest value of each column that is read of each series, in the steps before `end`.

    Of all columns of numbers, those that are known ahead last; None where there is no value. As a run keeps them.
    """
    values = _numbers(panel)[1][:, :end]
    ends = {"least": np.fmin.reduce(values, axis=1), "most": np.fmax.reduce(values, axis=1)}
    return {name: [[None if np.isnan(x) else x for x in row] for row in found.tolist()] for name, found in ends.items()}


def far_values(
    panel: Panel, series: Sequence[str], ranges: Mapping[str, Any], scaling: Scaling, deviations: float = 10.0
) -> list[str]:
    """A note for each column that has a value far outside of those of training, as one in another unit is.

    It is outside of the range of its series there, and so many standard deviations from its mean, or the series was
    constant. A series that was not in training has the range of all others, and half of it as deviation.

    Args:
        panel: of the new table.
        series: of training.
        ranges: of `training_ranges`.
        scaling: of training.
        deviations: see above.
    """
    least, most = (np.array(ranges[name], np.float64) for name in ("least", "most"))
    names, values = _numbers(panel)
    shift, factor = scaling.shift, scaling.factor
    if panel.known.future_names:
        shift = np.concatenate([shift, scaling.future_shift], axis=1)
        factor = np.concatenate([factor, scaling.future_factor], axis=1)
    low, high = np.fmin.reduce(least, axis=0), np.fmax.reduce(most, axis=0)
    place = {name: i for i, name in enumerate(series)}
    old = np.array([place.get(name, -1) for name in panel.series])
    known = (old >= 0)[:, None] & ~np.isnan(least[old])
    least, most, shift, factor = (
        np.where(known, own[old], others)[:, None]
        for own, others in ((least, low), (most, high), (shift, (low + high) / 2), (factor, (high - low) / 2))
    )
    away = np.abs(values - shift) / np.where(factor > 0, factor, 1)
    far = ((values < least) | (values > most)) & ((away > deviations) | (least == most))
    return [
        _note(panel, name, values[..., i], np.where(far[..., i], away[..., i], -1), least[:, 0, i], most[:, 0, i])
        for i, name in enumerate(names)
        if far[..., i].any()
    ]


def _note(panel: Panel, name: str, values: np.ndarray, away: np.ndarray, least: np.ndarray, most: np.ndarray) -> str:
    s, t = (int(place) for place in np.unravel_index(int(away.argmax()), away.shape))
    when = panel.clock.tell_row(np.concatenate([panel.times, panel.later])[t])
    line = "" if panel.lines is None else f"line {panel.lines[s, t]}, "
    of = f" of {panel.series[s]!r}" if panel.series[s] else ""
    more = int((away >= 0).sum()) - 1
    others = f", and {more:,} more value{'s' * (more > 1)} of it" * (more > 0)
    range_words = f"{least[s]:g} throughout" if least[s] == most[s] else f"{least[s]:g} to {most[s]:g}"
    return (
        f"column {name!r}{of}: {values[s, t]:.12g} ({line}{when}){others} far outside of training, {range_words}: is "
        "it the same quantity, in the same unit? what marks missing values is said with --missing"
    )


def _numbers(panel: Panel) -> tuple[list[str], np.ndarray]:
    """The columns of numbers, and their values `[S, T', D]`, NaN where only what is known ahead is there."""
    future = panel.known.future
    more = np.full((len(panel.series), future.shape[1] - len(panel.times), len(panel.names)), np.nan)
    values = np.concatenate([np.concatenate([panel.inputs, more], axis=1), future], axis=2)
    return [*panel.names, *panel.known.future_names], values
