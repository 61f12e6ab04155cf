"""Windows of a panel: what a forecast sees, scaled by the training part alone, what comes after it; their config."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.common.table_cells import split_names
from experiments.forecasting.panel import Panel, calendar, carried_forward
from experiments.forecasting.scaling import Scaling
from rnn_jax.checks import check_size
from rnn_jax.data.batches import BucketBatches
from rnn_jax.data.download import DataError


class Layout(NamedTuple):
    """What a model reads of each step of a window."""

    features: int
    """F, the numbers of a step."""
    ahead: int = 0
    """A of them are known ahead; they are the last ones before the calendar's."""
    places: int = 0
    """The last ones, of the calendar."""
    vocabularies: tuple[int, ...] = ()
    """How many words each of the C columns of words has."""
    words_ahead: int = 0
    """The last columns of words are known ahead."""


class Windows:
    """The windows of a panel, each with what comes after it.

    A step has these features: each input, scaled, the last value carried forward where one is missing and 0 (the mean)
    where there was none yet; with several series, the mean of each over the series, if `across`; for each input of
    which the training part lacks a value, whether it is missing; what the series is; what is known ahead, of the next
    step; the place of the moment in the cycles of the calendar.

    With `ahead`, a window goes on for the H − 1 steps after it: the features are those of its last step, but for what
    is known ahead and for the calendar's, so that a forecast can be made one step after the other. With `forced`, the
    first feature is the target as it came: what a model that is trained step by step reads (teacher forcing).

    Args:
        panel: the series.
        scaling: of the training part.
        window: L, the steps that a forecast sees.
        horizon: H, the steps after them that it is for.
        cycles: of `calendar`.
        ahead: whether windows go on; they do where anything is known ahead.
        forced: whether they do with the target.
        across: whether a series reads the mean of all.
        named: whether each series counts as a word, the first one, which is embedded.

    Attributes:
        features: float32 `[S, T, F]`.
        target: float32 `[S, T]`, scaled; NaN where it is missing.
        codes: int32 `[S, T + H, C]`, the numbers of words, 0 for those that are unknown.
        layout: what a model reads of a step.
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
        forced: bool = False,
        across: bool = True,
        named: bool = False,
    ):
        known = panel.known
        self.panel, self.scaling, self.window, self.horizon = panel, scaling, window, horizon
        self.ahead, self.forced = ahead or forced or known.ahead, forced
        scaled = (panel.inputs - scaling.shift[:, None]) / scaling.factor[:, None]
        filled = np.nan_to_num(carried_forward(scaled))
        shared = [np.broadcast_to(filled.mean(axis=0), filled.shape)] if across and len(panel.series) > 1 else []
        missing = [np.isnan(panel.target)[..., None]] if scaling.gaps else []
        statics = []
        if known.static.shape[1]:
            static = np.nan_to_num((known.static - scaling.static_shift) / scaling.static_factor)[:, None]
            statics = [np.broadcast_to(static, (*filled.shape[:2], static.shape[2]))]
        self.ahead_features = self._known_ahead(cycles)
        steps = self.ahead_features[:, : len(panel.times)]
        self.features = np.concatenate([filled, *shared, *missing, *statics, steps], axis=-1).astype(np.float32)
        target = (panel.target - scaling.target_shift[:, None]) / scaling.target_factor[:, None]
        self.target = target.astype(np.float32)
        self.codes = self._codes()
        sizes = tuple(len(scaling.vocabulary[column]) for column in known.categories)
        if named:
            series = np.broadcast_to(1 + np.arange(len(panel.series), dtype=np.int32)[:, None], self.codes.shape[:2])
            self.codes, sizes = np.concatenate([series[..., None], self.codes], axis=2), (len(panel.series), *sizes)
        self.layout = Layout(self.features.shape[-1], known.future.shape[2], 2 * len(cycles), sizes, known.words_ahead)

    def _known_ahead(self, cycles: Sequence[str]) -> np.ndarray:
        """What is known ahead, of the step after each, and the place of each in the calendar: `[S, T + H, A + P]`."""
        steps = len(self.panel.times) + self.horizon
        place = calendar(self.moments, cycles).astype(np.float32)
        places = np.broadcast_to(place, (len(self.panel.series), *place.shape))
        future = self.panel.known.future
        if not future.shape[2]:
            return places
        future = (_to_length(future, steps + 1, np.nan) - self.scaling.future_shift[:, None]) / (
            self.scaling.future_factor[:, None]
        )
        return np.concatenate([np.nan_to_num(carried_forward(future))[:, 1:].astype(np.float32), places], axis=2)

    def _codes(self) -> np.ndarray:
        """Numbers of words, the last one where one is missing; of those that are known ahead that of the next step."""
        known, steps = self.panel.known, len(self.panel.times) + self.horizon
        codes = known.codes(self.scaling.vocabulary).astype(float)
        codes[known.words < 0] = np.nan
        codes = np.nan_to_num(carried_forward(_to_length(codes, steps + 1, np.nan))).astype(np.int32)
        now = codes.shape[2] - known.words_ahead
        return np.concatenate([codes[:, :-1, :now], codes[:, 1:, now:]], axis=2)

    @staticmethod
    def feature_count(inputs: int, series: int, gaps: bool, cycles: int, others: int = 0) -> int:
        """F, by the numbers of inputs, of series and of cycles, and whether the training part lacks values.

        `others` is how many columns are known ahead or say what a series is; without `across`, `series` counts as one.
        """
        return inputs * (1 + (series > 1)) + gaps + others + 2 * cycles

    def examples(self, begin: int, end: int) -> np.ndarray:
        """Series and last step of each window whose H steps after it are all in a part: int `[N, 2]`.

        Windows may begin before the part. Those that end before their series begins, and those after which every
        target is missing, are left out.

        Args:
            begin: the first step of the part.
            end: the step after its last one.

        Raises:
            DataError: there is none.
        """
        last = np.arange(max(begin, self.window) - 1, end - self.horizon)
        known = np.cumsum(~np.isnan(self.target), axis=1)
        begun = known[:, last] > 0
        series, place = np.nonzero((known[:, last + self.horizon] > known[:, last]) & begun)
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
            DataError: the series are shorter than a window, or what should be known ahead is missing after one.
        """
        series = np.arange(len(self.target))
        for one in series.tolist():
            if wrong := self.why_not(one):
                raise DataError(wrong)
        return np.stack([series, self.panel.last_steps], axis=1)

    def why_not(self, series: int) -> str:
        """Why nothing can be forecast after the end of a series; empty where it can be."""
        panel, last = self.panel, self.panel.last_steps
        if last.max() + 1 < self.window:  # a single series may be shorter
            return f"the series have {last.max() + 1} steps: expected at least one window of {self.window}"
        if empty := self._empty_column(series):
            return empty
        if not panel.known.ahead:
            return ""
        steps = slice(last[series] + 1, last[series] + 1 + self.horizon)
        names, lacking = self._missing_ahead[0], self._missing_ahead[1][series, steps]
        if not lacking.any():
            return ""
        h, column = (int(place) for place in np.argwhere(lacking)[0])
        first, end = (when.replace("T", " ") for when in panel.clock.tell(self.moments[steps][[h, -1]]))
        of = f" of {panel.series[series]!r}" if panel.series[series] else ""
        return (
            f"column {names[column]!r}{of} is not known at {first}: a forecast of {self.horizon} steps reads what is "
            f"known ahead, up to {end}; add rows with it at the end, their {panel.unit} empty"
        )

    def _empty_column(self, series: int) -> str:
        """That a column has no value in the last window of a series, the first such one; empty where all have some."""
        panel, end = self.panel, int(self.panel.last_steps[series]) + 1
        begin = max(0, end - self.window)
        for name, there in panel.there(series):
            if there[begin:end].any():
                continue
            first, last = (when.replace("T", " ") for when in panel.clock.tell(self.moments[[begin, end - 1]]))
            of, before = f" of {panel.series[series]!r}" if panel.series[series] else "", int(there[:end].sum())
            return (
                f"column {name!r}{of} has no value in the {end - begin:,} rows that are read, {first} to {last} "
                f"({before:,} of {end:,} rows have one): fill some in, or end the series where its values do"
            )
        return ""

    @functools.cached_property
    def _missing_ahead(self) -> tuple[list[str], np.ndarray]:
        names, missing = self.panel.known.missing_ahead()
        return names, _to_length(missing, len(self.moments), True)

    @functools.cached_property
    def moments(self) -> np.ndarray:
        """The times of the panel and of the H steps after it."""
        return self.panel.moments(self.horizon)

    @functools.cached_property
    def naive_errors(self) -> np.ndarray:
        """By how much each series differs from itself one step before, in the mean: float64 `[S]`, 0 where unknown."""
        changes = np.abs(np.diff(self.panel.target, axis=1))
        known = ~np.isnan(changes)
        return np.where(known, changes, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)

    def inputs(self, examples: np.ndarray) -> np.ndarray:
        """The windows: float32 `[L, B, F]`, or with `ahead` `[L + H - 1, B, F]`."""
        series, last = examples.T
        steps = self._steps(last)
        features = self.features[series[None], np.minimum(steps, last[None])]
        known = self.ahead_features.shape[2]
        features[..., features.shape[-1] - known :] = self.ahead_features[series[None], steps]
        if self.forced:
            told = np.minimum(steps[self.window :], self.features.shape[1] - 1)
            features[self.window :, :, 0] = self.features[series[None], told, 0]
        return features

    def _steps(self, last: np.ndarray) -> np.ndarray:
        """The steps of windows, `[L, B]` or `[L + H - 1, B]`; before the panel begins its first one stands."""
        more = np.arange(1 - self.window, self.horizon if self.ahead else 1)
        return np.maximum(last[None] + more[:, None], 0)

    def read(self, examples: np.ndarray) -> dict[str, np.ndarray]:
        """All that a model reads of windows, by the names of its arguments: `inputs`, and `codes` `[..., B, C]`."""
        found = {"inputs": self.inputs(examples)}
        if self.layout.vocabularies:
            codes = self.codes[examples[:, 0][None], self._steps(examples[:, 1])]
            now = codes.shape[2] - self.layout.words_ahead
            codes[self.window :, :, :now] = codes[self.window - 1, :, :now]  # of these the past alone is known
            found["codes"] = codes
        return found

    def scale(self, examples: np.ndarray) -> np.ndarray:
        """By how much the scaled target of windows is multiplied to be the target: float32 `[B]`."""
        return self.scaling.target_factor[examples[:, 0]].astype(np.float32)

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
        """`{"inputs": [L, B, F], "targets": [B, H]}`, `"codes"` where there are words, and `"scale"` `[B]`."""
        chosen = self.examples[self.order.examples(i)[0]]
        windows = self.windows
        return windows.read(chosen) | {"targets": windows.targets(chosen), "scale": windows.scale(chosen)}

    @property
    def axes(self) -> dict[str, int | None]:
        """Where the batch is in the arrays of a batch."""
        words = {"codes": 1} if self.windows.layout.vocabularies else {}
        return {"inputs": 1, **words, "targets": 0, "scale": 0}


def _to_length(values: np.ndarray, steps: int, missing: float | bool) -> np.ndarray:
    """Values `[S, T, ...]` at so many steps: cut, or the rest missing."""
    more = np.full((len(values), max(0, steps - values.shape[1]), *values.shape[2:]), missing, values.dtype)
    return np.concatenate([values[:, :steps], more], axis=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """How much of a series a forecast sees, and how far it reaches.

    Raises:
        ValueError: a value is out of range.
    """

    horizon: int = 24
    """Steps ahead."""
    window: int = 24
    """Steps that a forecast sees."""
    season: int = 24
    """Steps after which a series is much as it was, at most window; 1 for the last value, 0 for nothing."""
    calendar: str = "day,year"
    """Of day, week and year, with commas: the cycles whose place is an input."""
    across: bool = True
    """Where there are several series, each also reads the mean of all of them; without, a model of many series
    forecasts others, too."""
    embed_series: bool = False
    """Where there are several series, each has an embedding of its own (of its channel, as SegRNN calls it)."""

    def __post_init__(self):
        for name in ("horizon", "window"):
            check_size(name, getattr(self, name))
        if not 0 <= self.season <= self.window:
            raise ValueError(f"season={self.season}: expected 0 to window={self.window}")

    def cut(self, panel: Panel, scaling: Scaling, *, ahead: bool, forced: bool = False) -> Windows:
        """The windows of a panel; with `ahead` with what is known of the steps to forecast, see `Windows`."""
        cycles = split_names(self.calendar)
        return Windows(
            panel, scaling, self.window, self.horizon, cycles, ahead=ahead, forced=forced, across=self.across,
            named=self.embed_series,
        )  # fmt: skip

    def layout(self, known: Mapping[str, Any], scaling: Scaling) -> Layout:
        """What a model reads of each step, by the panel.json of a run and the scaling of it."""
        cycles, columns = len(split_names(self.calendar)), known.get("known", {})
        ahead, static = len(columns.get("future", [])), len(columns.get("static", []))
        series = len(known["series"]) if self.across else 1
        count = Windows.feature_count(len(known["names"]), series, scaling.gaps, cycles, ahead + static)
        sizes = tuple(len(scaling.vocabulary[column]) for column in columns.get("categories", []))
        sizes = (len(known["series"]), *sizes) if self.embed_series else sizes
        return Layout(count, ahead, 2 * cycles, sizes, columns.get("words_ahead", 0))
