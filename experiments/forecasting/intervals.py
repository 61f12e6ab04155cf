"""Bands of 80 and 90 % around forecasts: as the model says them, or conformal ones that keep what they promise."""

from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from experiments.forecasting.outputs import LEVELS, Forecast
from experiments.forecasting.windows import Windows
from rnn_jax.conformal import adaptive_margins, conformal_margin, conformity_scores
from rnn_jax.data.download import DataError
from rnn_jax.metrics import coverage, interval_score, quantile_crps

CONFORMAL = ("none", "split", "adaptive")
SHARES = (0.8, 0.9)
"""Of the targets that are to be in a band."""
RATE = 0.005
"""Of adaptive bands, as Gibbs & Candès (2021) use it throughout."""


class Bands(NamedTuple):
    """Bands for the H steps after N windows, for each of `SHARES`."""

    low: np.ndarray
    """`[N, H, 2]`"""
    high: np.ndarray
    """`[N, H, 2]`"""

    def widened(self, margin: np.ndarray) -> "Bands":
        """Wider by a margin on both sides; where a negative one would turn the ends around, they meet in the middle."""
        low, high, middle = self.low - margin, self.high + margin, (self.low + self.high) / 2
        return Bands(np.where(low > high, middle, low), np.where(low > high, middle, high))

    def quantiles(self, point: np.ndarray) -> tuple[np.ndarray, list[float]]:
        """Their ends and the points `[N, H]` as quantiles `[N, H, 5]` in ascending order, and the levels of these."""
        tails = [(1 - share) / 2 for share in SHARES]
        levels = [*tails[::-1], 0.5, *(1 - tail for tail in tails)]
        ends = [*np.moveaxis(self.low, -1, 0)[::-1], point, *np.moveaxis(self.high, -1, 0)]
        return np.sort(np.stack(ends, axis=-1), axis=-1), levels


class Part(NamedTuple):
    """A part of a panel, forecast."""

    examples: np.ndarray
    """int `[N, 2]`, the windows."""
    forecast: Forecast
    target: np.ndarray
    """`[N, H]`, what was observed; NaN where it was not."""

    def rows(self, chosen: np.ndarray) -> "Part":
        """Some of its windows."""
        point, quantiles = self.forecast
        some = Forecast(point[chosen], None if quantiles is None else quantiles[chosen])
        return Part(self.examples[chosen], some, self.target[chosen])


def own_bands(forecast: Forecast) -> Bands:
    """What a model says itself: between its quantiles as if they were those of a normal distribution; else its points.

    Points are bands without a width, from which conformal ones are made as well.
    """
    if forecast.quantiles is None:
        ends = np.repeat(forecast.point[..., None], len(SHARES), axis=-1)
        return Bands(ends, ends)
    low = [_quantile(forecast.quantiles, (1 - share) / 2) for share in SHARES]
    high = [_quantile(forecast.quantiles, (1 + share) / 2) for share in SHARES]
    return Bands(np.stack(low, axis=-1), np.stack(high, axis=-1))


def _quantile(quantiles: np.ndarray, level: float) -> np.ndarray:
    """The quantile `[...]` at a level from those at `LEVELS` `[..., Q]`."""
    at = [NormalDist().inv_cdf(one) for one in LEVELS]
    i = min(int(np.searchsorted(LEVELS, level, side="right")), len(LEVELS) - 1)
    share = (NormalDist().inv_cdf(level) - at[i - 1]) / (at[i] - at[i - 1])
    return (1 - share) * quantiles[..., i - 1] + share * quantiles[..., i]


class Conformal:
    """Margins of bands, for each series and each step ahead, by the errors that a model made on a calibration part.

    Errors are in deviations of the target of a series; those of a variance are of its logarithm. Split margins are by
    the errors of all series together, adaptive ones by those of their own.

    Args:
        kind: "split" or "adaptive".
        windows: of a panel.
        calibration: forecasts of a part that was not trained on, before those that get bands.
        positive: whether what is forecast is a variance.

    Raises:
        DataError: a series has too few targets in the calibration part.
    """

    def __init__(self, kind: str, windows: Windows, calibration: Part, *, positive: bool = False):
        self.kind, self.windows, self.positive, self.calibration = kind, windows, positive, calibration
        self.scores = self._scores(calibration)
        series = calibration.examples[:, 0]
        groups = [series == s for s in range(len(windows.panel.series))] if kind == "adaptive" else [series == series]
        fewest = min(int((~np.isnan(self.scores[group][..., 0])).sum(axis=0).min()) for group in groups)
        if (fewest + 1) * (1 - SHARES[-1]) < 1 - 1e-9:
            least = round(SHARES[-1] / (1 - SHARES[-1]))
            raise DataError(
                f"conformal={kind!r}: the validation part has {fewest} windows with a known {windows.panel.unit}: "
                f"expected at least {least}{' of each series' if kind == 'adaptive' else ''} for a band of "
                f"{SHARES[-1]:.0%}; give longer series, or use conformal='none'"
            )

    def bands(self, part: Part, step: int = 1) -> tuple[Bands, np.ndarray]:
        """The bands of a later part, and the margins `[S, H, 2]` that are in use after it.

        Args:
            part: its windows are in the order of time, series by series.
            step: how far these are apart.
        """
        series, last = part.examples.T
        count, horizon = len(self.windows.panel.series), self.windows.horizon
        if self.kind == "split":
            margin = np.stack([conformal_margin(self.scores[..., i], q) for i, q in enumerate(SHARES)], axis=-1)
            after = np.broadcast_to(margin, (count, *margin.shape))
            return self._apply(part, after[series]), after
        margins, after = np.empty((*part.target.shape, len(SHARES))), np.empty((count, horizon, len(SHARES)))
        scores = self._scores(part)
        for s in range(count):
            own = np.flatnonzero(series == s)
            if not len(own):
                raise DataError(f"the series {self.windows.panel.series[s]!r} has no window to give a band for")
            place = (last[own] - last[own][0]) // step
            before = self.scores[self.calibration.examples[:, 0] == s]
            for h in range(horizon):
                for i, share in enumerate(SHARES):
                    # The last place is that of a window so much later that all is known: what is in use after the part.
                    late = -(-(h + 1) // step) - 1
                    stream = np.full(place[-1] + late + 2, np.nan)
                    stream[place] = scores[own, h, i]
                    found = adaptive_margins(before[:, h, i], stream, share, RATE, delay=late, bounded=True)
                    margins[own, h, i], after[s, h, i] = found[place], found[-1]
        return self._apply(part, margins), after

    def _scores(self, part: Part) -> np.ndarray:
        bands, target = own_bands(part.forecast), part.target[..., None]
        low, high, target = (np.log(a) if self.positive else a for a in (bands.low, bands.high, target))
        scores = conformity_scores(low, high, np.broadcast_to(target, low.shape))
        return scores if self.positive else scores / self.windows.scaling.target_factor[part.examples[:, :1], None]

    def _apply(self, part: Part, margins: np.ndarray) -> Bands:
        return with_margins(self.windows, part.examples, part.forecast, margins, positive=self.positive)


def with_margins(
    windows: Windows, examples: np.ndarray, forecast: Forecast, margins: np.ndarray, *, positive: bool = False
) -> Bands:
    """The bands of forecasts after some windows, widened by margins `[N, H, 2]` in the unit of `Conformal`."""
    bands = own_bands(forecast)
    if positive:
        return Bands(*np.exp(Bands(*np.log(bands)).widened(margins)))
    return bands.widened(margins * windows.scaling.target_factor[examples[:, :1], None])


def score_intervals(bands: Bands, point: np.ndarray, target: np.ndarray, kind: str = "") -> dict[str, Any]:
    """How many targets `[N, H]` are in bands, how wide these are, and what they cost; `kind` is before the names."""
    scores: dict[str, Any] = {}
    name = f"{kind} " if kind else ""
    for i, share in enumerate(SHARES):
        low, high, of = bands.low[..., i], bands.high[..., i], f"of the {share:.0%} band"
        scores[f"{name}coverage {of}"] = coverage(low, high, target)
        scores[f"{name}coverage {of}, last step"] = coverage(low[:, -1], high[:, -1], target[:, -1])
        scores[f"{name}width {of}"] = float(np.mean(high - low))
        scores[f"{name}interval score {of}"] = interval_score(low, high, target, share)
    quantiles, levels = bands.quantiles(point)
    scores[f"{name}CRPS"] = quantile_crps(quantiles, target, levels)
    return scores
