"""Conformal intervals: bands that hold what they promise, on top of any forecast, without a word about its errors.

    scores = conformity_scores(low, high, target)               # of a calibration part that was not trained on
    margin = conformal_margin(scores, 0.9)                      # to be added on both sides of every later band
    band = low - margin, high + margin

A score says by how much a target is outside a band; negative, by how much it is inside. The band may be of two
quantiles (conformalized quantile regression, Romano, Patterson & Candès 2019, arXiv:1905.03222, equation 6), or a
single number for both ends: the score is then the absolute residual, and the band the split conformal one of Lei et
al. 2018, arXiv:1604.04173. Where calibration and test are exchangeable, a band at level 1 − α holds the next target
with a probability of at least 1 − α, and at most 1 − α + 1 / (N + 1) if no two scores are equal. Series are not
exchangeable: `AdaptiveConformal` corrects itself as they go.
"""

import bisect
import collections
import math
from typing import Any

import numpy as np

from rnn_jax.checks import check_rate
from rnn_jax.typing import Checked, Float


def conformity_scores(
    low: Checked[Any, "*B"], high: Checked[Any, "*B"], target: Checked[Any, "*B"]
) -> Float[np.ndarray, "*B"]:
    """max(low − target, target − high): how far targets are outside of bands. NaN where a target is.

    Raises:
        ValueError: the shapes differ.
    """
    low, high, target = (np.asarray(array, np.float64) for array in (low, high, target))
    if not low.shape == high.shape == target.shape:
        raise ValueError(
            f"low {list(low.shape)}, high {list(high.shape)}, target {list(target.shape)}: expected one shape"
        )
    return np.maximum(low - target, target - high)


def conformal_margin(scores: Checked[Any, "N *B"], level: float) -> Float[np.ndarray, "*B"]:
    """By how much bands are to be wider on both sides to hold a share `level` of what comes next.

    The ⌈(N + 1) · level⌉-th smallest of N scores: the quantile that allows for their number (Romano et al. 2019,
    equation 8). It is infinite where there are too few scores for the level, and negative where the bands held more.

    Args:
        scores: `[N, ...]`, of a calibration part, for each of the remaining axes apart; NaN is left out.
        level: the share 1 − α.

    Raises:
        ValueError: `level` is not between 0 and 1.
    """
    _check_level(level)
    ordered = np.sort(np.asarray(scores, np.float64), axis=0)  # NaN comes last
    count = np.sum(~np.isnan(ordered), axis=0)
    rank = _rank(count, level)
    ordered = np.concatenate([ordered, np.full_like(ordered[:1], np.inf)])  # so that the rank of none is there
    margin = np.take_along_axis(ordered, np.minimum(rank - 1, len(ordered) - 1)[None], axis=0)[0]
    return np.where(rank > count, np.inf, margin)


class AdaptiveConformal:
    """The margin of bands in a stream, which corrects itself: Gibbs & Candès 2021, arXiv:2106.00455, equation 2.

    After each target the level in use moves: α ← α + rate · (1 − level − missed). It is the margin of the last N
    scores, N being the number of those at the beginning. Whatever the targets are, the share that bands miss over T of
    them is within (1 + rate) / (rate · T) of 1 − level (proposition 4.1), and within (1 + (D + 1) · rate) / (rate · T)
    where a target is known D bands late.

    Args:
        scores: at least one, of the targets before, the oldest first; NaN is left out.
        level: the share 1 − α that bands are to hold.
        rate: γ; larger ones follow changes sooner, with more of a tremor.
        bounded: take the largest score for the margin where it should be infinite, which nobody has a use for; the
            bounds above do not hold then.

    Raises:
        ValueError: a value is out of range, or there are no scores.
    """

    def __init__(self, scores: Checked[Any, "N"], level: float, rate: float = 0.005, *, bounded: bool = False):
        _check_level(level)
        check_rate("rate", rate)
        known = np.asarray(scores, np.float64)
        known = known[~np.isnan(known)]
        if not len(known):
            raise ValueError("scores has none that is known: expected those of a calibration part")
        self.level, self.rate, self.bounded = level, rate, bounded
        self.miscoverage = 1 - level
        self._recent, self._ordered = collections.deque(known.tolist()), np.sort(known).tolist()

    @property
    def margin(self) -> float:
        """What is to be added to the next band on both sides; −inf where nothing is to be in it."""
        rank = int(_rank(len(self._ordered), 1 - self.miscoverage))
        if rank > len(self._ordered):
            return self._ordered[-1] if self.bounded else math.inf
        return self._ordered[rank - 1] if rank > 0 else -math.inf

    def update(self, score: float, margin: float) -> None:
        """Take up a target.

        Args:
            score: see `conformity_scores`; nothing happens where it is NaN.
            margin: that of the band which was given for it.
        """
        if math.isnan(score):
            return
        self.miscoverage += self.rate * (1 - self.level - (score > margin))
        bisect.insort(self._ordered, score)
        self._recent.append(score)
        del self._ordered[bisect.bisect_left(self._ordered, self._recent.popleft())]


def adaptive_margins(
    calibration: Checked[Any, "M"],
    scores: Checked[Any, "N"],
    level: float,
    rate: float = 0.005,
    *,
    delay: int = 0,
    bounded: bool = False,
) -> Float[np.ndarray, "N"]:
    """The margin of each of N bands of a stream by `AdaptiveConformal`, each by what was known when it was given.

    Args:
        calibration: scores of the targets before, the oldest first.
        scores: of the stream's own targets, in their order.
        level: see `AdaptiveConformal`, and so are `rate` and `bounded`.
        rate: see there.
        delay: D: when a band is given, the targets of the last D bands are not known yet. A band for h steps ahead that
            is given at every step has the delay h − 1, for the target of the one before it is known.
        bounded: see there.
    """
    stream = AdaptiveConformal(calibration, level, rate, bounded=bounded)
    scores = np.asarray(scores, np.float64)
    margins = np.empty(len(scores))
    for i in range(len(scores)):
        if (known := i - 1 - delay) >= 0:
            stream.update(float(scores[known]), margins[known])
        margins[i] = stream.margin
    return margins


def _rank(count: Any, level: Any) -> Any:
    """⌈(N + 1) · level⌉, where rounding makes no whole number the next one."""
    return np.ceil((count + 1) * level - 1e-9).astype(int)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level={level}: expected a share between 0 and 1, such as 0.9")
