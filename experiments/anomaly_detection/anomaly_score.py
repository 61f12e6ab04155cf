"""How strange a row of a stream is: the likelihood of the errors of a predictor, and the range of the values so far.

Ahmad et al. 2017, "Unsupervised real-time anomaly detection for streaming data": the mean of the latest errors has a
tail probability under a normal distribution of all such means before. Beside it, as in the detector of the same
authors, a value outside of the range of all values before is an anomaly by itself.
"""

import collections
import dataclasses
import math

from scipy.special import log_ndtr

from rnn_jax.checks import check_size

FLOOR = 0.1
"""In units of the series: smaller deviations and ranges count as this."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StrangenessSettings:
    """When a row is strange; the same for all series.

    Raises:
        ValueError: a value is out of range.
    """

    short: int = 50
    """Rows whose errors are averaged, their signs included."""
    decades: float = 3.7
    """A tail probability of 10 to the minus this is as strange as it takes for an alarm."""
    beyond: float = 0.002
    """And so is a value so far outside of the range of all before, as a part of that range."""
    quiet: int = 100
    """A row has to be stranger than each of so many rows before it: an anomaly gives another alarm only as it grows."""

    def __post_init__(self):
        check_size("short", self.short)
        check_size("quiet", self.quiet)
        for name in ("decades", "beyond"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected a number above 0")
        getattr(super(), "__post_init__", lambda: None)()  # of the settings beside these in a Config


class Strangeness:
    """Judges the rows of one stream as they come, each by those before it.

    Args:
        settings: when a row is strange.
        first: rows at the beginning that nothing is said of.
    """

    def __init__(self, settings: StrangenessSettings, first: int):
        self.settings, self.first = settings, first
        self._errors: collections.deque[float] = collections.deque(maxlen=settings.short)
        self._rows, self._means, self._mean, self._squares = 0, 0, 0.0, 0.0
        self._low, self._high = math.inf, -math.inf
        self._strangest: collections.deque[tuple[int, float]] = collections.deque()

    def __call__(self, value: float, error: float) -> float:
        """How strange the next row is: 0 where it is not, 1 and more where it takes an alarm.

        Args:
            value: in units of the series; NaN where it is missing, and nothing is said.
            error: value less prediction.
        """
        self._rows += 1
        if math.isnan(value):
            return 0.0
        strange = max(self._outside(value) / self.settings.beyond, self._unlikely(error) / self.settings.decades)
        return self._stranger_than_before(strange if self._rows > self.first else 0.0)

    def _outside(self, value: float) -> float:
        """How far a value is outside of the range before, as a part of it; then widen the range."""
        if self._low > self._high:  # the first value
            self._low = self._high = value
        far = max(value - self._high, self._low - value) / max(self._high - self._low, FLOOR)
        self._low, self._high = min(self._low, value), max(self._high, value)
        return max(far, 0.0)

    def _unlikely(self, error: float) -> float:
        """−log10 of the tail probability of the mean error, by Welford's running moments of such means before."""
        self._errors.append(error)
        mean = abs(sum(self._errors) / len(self._errors))
        std = math.sqrt(self._squares / max(self._means, 1)) + FLOOR
        tail = -float(log_ndtr((self._mean - mean) / std)) / math.log(10)
        self._means += 1
        change = mean - self._mean
        self._mean += change / self._means
        self._squares += change * (mean - self._mean)
        return tail

    def _stranger_than_before(self, strange: float) -> float:
        """The strangeness itself, or 0 where one of the last rows was as strange."""
        while self._strangest and self._strangest[0][0] < self._rows - self.settings.quiet:
            self._strangest.popleft()
        highest = self._strangest[0][1] if self._strangest else 0.0
        while self._strangest and self._strangest[-1][1] <= strange:
            self._strangest.pop()
        self._strangest.append((self._rows, strange))
        return strange if strange > highest else 0.0
