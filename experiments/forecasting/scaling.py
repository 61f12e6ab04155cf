"""How a panel is scaled, and its words numbered: by what is known of the training part alone."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.forecasting.panel import Panel
from rnn_jax.data.download import DataError

NONE = np.empty((0, 0))


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
    """What is known of the training part: a value becomes (value − shift) / factor, a word its place among the known.

    Attributes:
        shift: float64 `[S, D]`, the mean of each input of each series.
        factor: float64 `[S, D]`, its standard deviation; 1 where it is constant.
        target_shift: float64 `[S]`; zeros for a target that is positive, and for counts.
        target_factor: float64 `[S]`; the mean of a target that is positive, and 1 more for counts.
        gaps: whether a target is missing.
        future_shift: float64 `[S, A]`, as `shift`, for what is known ahead.
        future_factor: float64 `[S, A]`.
        static_shift: float64 `[1, K]`, the mean of what a series is over the series.
        static_factor: float64 `[1, K]`.
        vocabulary: the words of each column of words.
    """

    shift: np.ndarray
    factor: np.ndarray
    target_shift: np.ndarray
    target_factor: np.ndarray
    gaps: bool
    future_shift: np.ndarray = dataclasses.field(default_factory=lambda: NONE)
    future_factor: np.ndarray = dataclasses.field(default_factory=lambda: NONE)
    static_shift: np.ndarray = dataclasses.field(default_factory=lambda: NONE)
    static_factor: np.ndarray = dataclasses.field(default_factory=lambda: NONE)
    vocabulary: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def fit(cls, panel: Panel, end: int, positive: bool = False, *, counts: bool = False) -> "Scaling":
        """The scaling of the steps before `end`.

        A series that begins later, or is constant there, is scaled as the median of the others is.

        Args:
            panel: the series.
            end: the first step that is not known.
            positive: the target is only divided, by its mean, such as a variance.
            counts: the target is only divided, by 1 + its mean (Salinas et al. 2020, arXiv:1704.04110, section 3.3),
                and so is the first input.

        Raises:
            DataError: all targets are missing or constant there, or not positive or whole though they should be.
        """
        target, known = panel.target[:, :end], panel.known
        least, most = np.fmin.reduce(target, axis=1), np.fmax.reduce(target, axis=1)
        if not (most > least).any():
            what = "is missing throughout" if np.isnan(least[0]) else f"is {least[0]:g} throughout"
            raise DataError(
                f"{panel.unit}{_of(panel.series[0])} {what} in the {end:,} steps of the training part, to "
                f"{panel.times[end - 1]}: there is nothing to learn; give a series that varies there"
            )
        _check_kind(panel, least, positive, counts)
        mean, factor, shift, deviation = _scales(panel, end, positive, counts)
        future = _mean_and_deviation(known.future[:, :end])
        static = _mean_and_deviation(known.static[~np.isnan(least)][None])
        gaps = bool(np.isnan(target).any())
        return cls(shift, deviation, mean, factor, gaps, *future, *static, known.vocabulary(end))

    def of_series(
        self, trained: Sequence[str], panel: Panel, end: int, positive: bool = False, *, counts: bool = False
    ) -> "Scaling":
        """The scaling of a panel of other series: those that were trained on keep theirs, others have their own.

        Args:
            trained: the series that this is the scaling of.
            panel: of other series with the same columns.
            end: the first step that is not known: where forecasts begin.
            positive: as of `fit`.
            counts: as of `fit`.
        """
        if list(trained) == panel.series:
            return self
        place = {name: i for i, name in enumerate(trained)}
        old = np.array([place.get(name, -1) for name in panel.series])
        mean, factor, shift, deviation = _scales(panel, end, positive, counts, self)
        future = _mean_and_deviation(panel.known.future[:, :end], self.future_shift, self.future_factor)

        def kept(before: np.ndarray, new: np.ndarray) -> np.ndarray:
            return np.where((old >= 0).reshape(-1, *(1,) * (new.ndim - 1)), before[old], new)

        names = ("target_shift", "target_factor", "shift", "factor", "future_shift", "future_factor")
        new = dict(zip(names, (mean, factor, shift, deviation, *future), strict=True))
        changes = {name: kept(getattr(self, name), values) for name, values in new.items() if values.size}
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """As lists, for the files of a run."""
        arrays = {name: value.tolist() for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return arrays | {"gaps": self.gaps, "vocabulary": self.vocabulary}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Scaling":
        """The scaling that `to_json` was called of."""
        arrays = {name: np.array(value) for name, value in stored.items() if name not in ("gaps", "vocabulary")}
        return cls(**arrays, gaps=stored["gaps"], vocabulary=stored.get("vocabulary", {}))


def _of(series: str) -> str:
    return f" of {series}" if series else ""


def _check_kind(panel: Panel, least: np.ndarray, positive: bool, counts: bool) -> None:
    if positive and (least <= 0).any():
        s = int((least <= 0).argmax())
        raise DataError(f"{panel.unit}{_of(panel.series[s])} is {least[s]:g} at its least: a variance is positive")
    if counts:
        wrong = ~np.isnan(panel.target) & ((panel.target < 0) | (panel.target % 1 != 0))
        if wrong.any():
            s, t = np.argwhere(wrong)[0]
            raise DataError(
                f"{panel.unit}{_of(panel.series[s])} is {panel.target[s, t]:g} at {panel.times[t]}: a negative "
                "binomial is for counts, whole numbers from 0 on; say another --output"
            )


def _target_scale(target: np.ndarray, positive: bool, counts: bool) -> tuple[np.ndarray, np.ndarray]:
    """Shift and factor of targets `[S, T]`; NaN where there is none, and, for the factor, where it is constant."""
    begun = ~np.isnan(target).all(axis=1)
    mean, factor = np.full(len(target), np.nan), np.full(len(target), np.nan)
    mean[begun] = np.nanmean(target[begun], axis=1)
    if positive or counts:
        return np.where(begun, 0.0, np.nan), mean + counts
    factor[begun] = np.nanstd(target[begun], axis=1)
    varies = np.fmax.reduce(target, axis=1) > np.fmin.reduce(target, axis=1)
    return mean, np.where(varies, factor, np.nan)


def _scales(
    panel: Panel, end: int, positive: bool, counts: bool, others: Scaling | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shift and factor of the targets before `end`, `[S]`, and of the inputs, `[S, D]`.

    Of a series that has none they are the median of the others', or of those of `others`. Of what is no variance the
    first input is the target: counts and constant series are scaled as that is.
    """
    mean, own = _target_scale(panel.target[:, :end], positive, counts)
    means, factors = (others.target_shift, others.target_factor) if others else (mean, own)
    mean, factor = _filled(mean, means), _filled(own, factors)
    known = (others.shift, others.factor) if others else ()
    shift, deviation = _mean_and_deviation(panel.inputs[:, :end], *known)
    if counts:
        shift[:, 0], deviation[:, 0] = mean, factor
    elif not positive:
        deviation[:, 0] = np.where(np.isnan(own), factor, deviation[:, 0])
    return mean, factor, shift, deviation


def _filled(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Values `[S, ...]`, the median of others `[S', ...]` where one is NaN."""
    gone = np.isnan(values)
    return np.where(gone, np.nanmedian(others, axis=0), values) if gone.any() else values


def _mean_and_deviation(
    values: np.ndarray, means: np.ndarray | None = None, deviations: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Of values `[S, T, D]` over time: `[S, D]`; the deviation is 1 where it is 0.

    Where no value of a series is there, the median over all of them, or over those of other series, if these are given.
    """
    there = ~np.isnan(values)
    never = there.sum(axis=1) == 0
    count = np.maximum(there.sum(axis=1), 1)
    shift = np.where(there, values, 0).sum(axis=1) / count
    deviation = np.sqrt((np.where(there, values - shift[:, None], 0) ** 2).sum(axis=1) / count)
    factor = np.where(deviation > 1e-9 * np.abs(shift), deviation, 1.0)
    if not never.any():
        return shift, factor
    means, deviations = (shift, factor) if means is None or deviations is None else (means, deviations)
    for column in np.flatnonzero(never.any(axis=0)):
        lacking = never[:, column]
        use = ~lacking if means is shift else np.ones(len(means), bool)
        if use.any():
            middle = np.median(means[use, column]), np.median(deviations[use, column])
            shift[lacking, column], factor[lacking, column] = middle
    return shift, factor
