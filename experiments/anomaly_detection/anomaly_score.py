"""The anomaly score of a row of a stream: the likelihood of a predictor's errors, and the range of the values so far.

Ahmad et al. 2017, "Unsupervised real-time anomaly detection for streaming data": the mean of the latest errors has a
tail probability under a normal distribution of all such means before. Beside it, as in the detector of the same
authors, a value outside of the range of all values before is an anomaly by itself.
"""

import collections
import math

from scipy.special import log_ndtr

from experiments.anomaly_detection.config import AnomalyScoreConfig

FLOOR = 0.1
"""In units of the series: smaller standard deviations and ranges count as this."""


class AnomalyScore:
    """Scores the rows of one stream as they come, each by those before it.

    Args:
        config: how high scores are.
        first: rows at the beginning that have the score 0.
    """

    def __init__(self, config: AnomalyScoreConfig, first: int):
        self.config, self.first = config, first
        self._errors: collections.deque[float] = collections.deque(maxlen=config.short)
        self._rows, self._means, self._mean, self._squares = 0, 0, 0.0, 0.0
        self._low, self._high = math.inf, -math.inf
        self._maxima: collections.deque[tuple[int, float]] = collections.deque()

    def __call__(self, value: float, error: float) -> float:
        """The score of the next row: 0 where it is as usual, from 1 on an alarm.

        Args:
            value: in units of the series; NaN where it is missing, which has the score 0.
            error: value less prediction.
        """
        self._rows += 1
        if math.isnan(value):
            return 0.0
        score = max(self._outside(value) / self.config.beyond, self._log_tail(error) / self.config.decades)
        return self._if_rising(score if self._rows > self.first else 0.0)

    def _outside(self, value: float) -> float:
        """How far a value is outside of the range before, as a part of it; then widen the range."""
        if self._low > self._high:  # the first value
            self._low = self._high = value
        distance = max(value - self._high, self._low - value) / max(self._high - self._low, FLOOR)
        self._low, self._high = min(self._low, value), max(self._high, value)
        return max(distance, 0.0)

    def _log_tail(self, error: float) -> float:
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

    def _if_rising(self, score: float) -> float:
        """The score itself, or 0 where one of the last rows had as high a one."""
        while self._maxima and self._maxima[0][0] < self._rows - self.config.quiet:
            self._maxima.popleft()
        highest = self._maxima[0][1] if self._maxima else 0.0
        while self._maxima and self._maxima[-1][1] <= score:
            self._maxima.pop()
        self._maxima.append((self._rows, score))
        return score if score > highest else 0.0
