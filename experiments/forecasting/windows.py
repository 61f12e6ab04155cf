"""Windows of a panel: what a forecast sees, scaled by the training part alone, and what comes after it."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.forecasting.panel import Panel, calendar, carried_forward
from rnn_jax.data.batches import BucketBatches
from rnn_jax.data.download import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
    """What is known of the training part: a value becomes (value − shift) / factor.

    Attributes:
        shift: float64 `[S, D]`, the mean of each input of each series.
        factor: float64 `[S, D]`, its standard deviation; 1 where it is constant or never there.
        target_shift: float64 `[S]`; zeros for a target that is positive.
        target_factor: float64 `[S]`; the mean of a target that is positive.
        gaps: whether a target is missing.
    """

    shift: np.ndarray
    factor: np.ndarray
    target_shift: np.ndarray
    target_factor: np.ndarray
    gaps: bool

    @classmethod
    def fit(cls, panel: Panel, end: int, positive: bool = False) -> "Scaling":
        """The scaling of the steps before `end`; a `positive` target, such as a variance, is only divided.

        Raises:
            DataError: a target is missing or constant there, or not positive though it should be.
        """
        inputs, target = panel.inputs[:, :end], panel.target[:, :end]
        for series, values in zip(panel.series, target, strict=True):
            known, of = values[~np.isnan(values)], f" of {series}" if series else ""
            if not len(known) or known.min() == known.max():
                what = f"is {known[0]:g} throughout" if len(known) else "is missing throughout"
                raise DataError(
                    f"{panel.unit}{of} {what} in the {end:,} steps of the training part, to {panel.times[end - 1]}: "
                    "there is nothing to learn; give a series that varies there"
                )
            if positive and known.min() <= 0:
                raise DataError(f"{panel.unit}{of} is {known.min():g} at its least: a variance is positive")
        there = ~np.isnan(inputs)
        count = np.maximum(there.sum(axis=1), 1)
        shift = np.where(there, inputs, 0).sum(axis=1) / count
        deviation = np.sqrt((np.where(there, inputs - shift[:, None], 0) ** 2).sum(axis=1) / count)
        mean, std = np.nanmean(target, axis=1), np.nanstd(target, axis=1)
        return cls(
            shift, np.where(deviation > 1e-9 * np.abs(shift), deviation, 1.0),
            np.zeros_like(mean) if positive else mean, mean if positive else std,
            bool(np.isnan(target).any()),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """As lists, for the files of a run."""
        return {name: np.asarray(value).tolist() for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Scaling":
        """The scaling that `to_json` was called of."""
        arrays = {name: np.array(value) for name, value in stored.items() if name != "gaps"}
        return cls(**arrays, gaps=stored["gaps"])


class Windows:
    """The windows of a panel, each with what comes after it.

    A step has these features: each input, scaled, the last value carried forward where one is missing and 0 (the mean)
    where there was none yet; with several series, the mean of each over the series; for each input of which the
    training part lacks a value, whether it is missing; the place of the moment in the cycles of the calendar.

    With `ahead`, a window goes on for the H − 1 steps after it: the features are those of its last step, but for the
    calendar's, so that a forecast can be made one step after the other.

    Args:
        panel: the series.
        scaling: of the training part.
        window: L, the steps that a forecast sees.
        horizon: H, the steps after them that it is for.
        cycles: of `calendar`.
        ahead: whether windows go on.

    Attributes:
        features: float32 `[S, T, F]`.
        target: float32 `[S, T]`, scaled; NaN where it is missing.
    """

    def __init__(
        self,
        panel: Panel,
        scaling: Scaling,
        window: int,
        horizon: int,
        cycles: Sequence[str] = (),
        *,
        ahead: bool = False,
    ):
        self.panel, self.scaling, self.window, self.horizon, self.ahead = panel, scaling, window, horizon, ahead
        scaled = (panel.inputs - scaling.shift[:, None]) / scaling.factor[:, None]
        filled = np.nan_to_num(carried_forward(scaled))
        shared = [np.broadcast_to(filled.mean(axis=0), filled.shape)] if len(panel.series) > 1 else []
        missing = [np.isnan(panel.target)[..., None]] if scaling.gaps else []
        self.place = calendar(panel.moments(horizon), cycles).astype(np.float32)
        place = np.broadcast_to(self.place[: len(panel.times)], (*filled.shape[:2], 2 * len(cycles)))
        self.features = np.concatenate([filled, *shared, *missing, place], axis=-1).astype(np.float32)
        target = (panel.target - scaling.target_shift[:, None]) / scaling.target_factor[:, None]
        self.target = target.astype(np.float32)

    @staticmethod
    def feature_count(inputs: int, series: int, gaps: bool, cycles: int) -> int:
        """F, by the numbers of inputs, of series and of cycles, and whether the training part lacks values."""
        return inputs * (1 + (series > 1)) + gaps + 2 * cycles

    def examples(self, begin: int, end: int) -> np.ndarray:
        """Series and last step of each window whose H steps after it are all in a part: int `[N, 2]`.

        Windows may begin before the part. Those after which every target is missing are left out.

        Args:
            begin: the first step of the part.
            end: the step after its last one.

        Raises:
            DataError: there is none.
        """
        last = np.arange(max(begin, self.window) - 1, end - self.horizon)
        known = np.cumsum(~np.isnan(self.target), axis=1)
        series, place = np.nonzero(known[:, last + self.horizon] > known[:, last])
        if not len(series):
            raise DataError(
                f"steps {begin:,} to {end:,} of {len(self.panel.times):,} have no window of {self.window} steps with a "
                f"known {self.panel.unit} in the {self.horizon} after it: give a longer series, or a smaller window or "
                "horizon"
            )
        return np.stack([series, last[place]], axis=1)

    def parts(self, end: int) -> dict[str, np.ndarray]:
        """The windows for "training", up to step `end`, "validation" and "test"."""
        bounds = {"training": (0, end), "validation": (self.panel.validation, self.panel.test)}
        bounds["test"] = self.panel.test, len(self.panel.times)
        return {part: self.examples(*bound) for part, bound in bounds.items()}

    @property
    def newest(self) -> np.ndarray:
        """The last window of each series, after which nothing is known yet: int `[S, 2]`.

        Raises:
            DataError: the series are shorter than a window.
        """
        last = len(self.panel.times) - 1
        if last + 1 < self.window:
            raise DataError(f"the series have {last + 1} steps: expected at least one window of {self.window}")
        return np.stack([np.arange(len(self.target)), np.full(len(self.target), last)], axis=1)

    def inputs(self, examples: np.ndarray) -> np.ndarray:
        """The windows: float32 `[L, B, F]`, or with `ahead` `[L + H - 1, B, F]`."""
        series, last = examples.T
        steps = last[None] + np.arange(1 - self.window, self.horizon if self.ahead else 1)[:, None]
        features = self.features[series[None], np.minimum(steps, last[None])]
        features[..., features.shape[-1] - self.place.shape[-1] :] = self.place[steps]
        return features

    def targets(self, examples: np.ndarray, *, scaled: bool = True) -> np.ndarray:
        """What comes after the windows, `[B, H]`, NaN where it is missing: scaled float32, or float64 as it was."""
        series, last = examples.T
        target = self.target if scaled else self.panel.target
        return target[series[:, None], last[:, None] + np.arange(1, self.horizon + 1)]


@dataclasses.dataclass(frozen=True, eq=False)
class WindowBatches:
    """Shuffled training batches of windows; batch i is a pure function of i.

    Attributes:
        windows: of a panel.
        examples: int `[N, 2]`, which of them.
        batch_size: B.
        seed: of the order.
    """

    windows: Windows
    examples: np.ndarray
    batch_size: int
    seed: int

    @functools.cached_property
    def order(self) -> BucketBatches:
        """Which windows come when; all have one length."""
        return BucketBatches(np.full(len(self.examples), self.windows.window), self.batch_size, self.seed)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """`{"inputs": [L, B, F], "targets": [B, H]}`."""
        chosen = self.examples[self.order.examples(i)[0]]
        return {"inputs": self.windows.inputs(chosen), "targets": self.windows.targets(chosen)}


BATCH_AXES: dict[str, int | None] = {"inputs": 1, "targets": 0}
"""Where the batch is in the arrays of a batch."""
