"""The anomaly score of a row of a stream: records of a predictor's errors and of the values, or how likely errors are.

Two rules, of `AnomalyScoreConfig.rule`. In both a value outside of the range of all values before is an anomaly by
itself, as in the detector of Ahmad et al. 2017, "Unsupervised real-time anomaly detection for streaming data".

* records: what that detector does with values is done with errors, too. The means of the latest 1, 10 and 100 errors,
  signs included, each have a range so far; the score is how far the value or a mean is outside of its own, as a part
  of it, values weighing more. No form of the errors' distribution is supposed, and of n independent errors only some
  ln n are records. What rises slowly sets one small record after the other: in most series that is usual. The first
  means are of fewer errors, so that the range of long ones is wide from the beginning.
* likelihood: as in that paper, the mean of the latest errors has a tail probability under a normal distribution of all
  such means before.
"""

import collections
import math

from scipy.special import log_ndtr

from experiments.anomaly_detection.config import AnomalyScoreConfig

FLOOR = 0.1
"""In units of the series: smaller standard deviations and ranges count as this."""
SPANS = (1, 10, 100)
"""Rows whose errors are averaged, for their records: powers of ten, not chosen by any labels."""
RULES = {
    "records": "e = u(value) - known - mean. The score is the largest one of the distance of u from the range of all u "
               "before, over `beyond`, and of the distances of the means of the last "
               f"{', '.join(map(str, SPANS))} e from the ranges of all such means before, over `errors_beyond`; "
               "distances are parts of the range (0.1 at least).",
    "likelihood": "e = u(value) - known - mean; m is the absolute mean of the last `short` e. M and S are mean and "
                  "standard deviation of all m before. The score is the larger one of -log10 of the normal probability "
                  "to be above (m - M) / (S + 0.1), over `decades`, and of the distance of u from the range of all u "
                  "before, over that range (0.1 at least), over `beyond`.",
}  # fmt: skip
"""Both in symbols, for a program that is exported: u as `SeriesScaling.to_unit` makes it."""


class AnomalyScore:
    """Scores the rows of one stream as they come, each by those before it.

    Args:
        config: how high scores are.
        first: rows at the beginning that have the score 0.
    """

    def __init__(self, config: AnomalyScoreConfig, first: int):
        self.config, self.first, self._rows = config, first, 0
        self._values = _Range()
        self._means = [(_Mean(span), _Range()) for span in SPANS if config.rule == "records"]
        self._likelihood = _Likelihood(config.short) if config.rule == "likelihood" else None
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
        scores = [self._values(value) / self.config.beyond]
        scores += [widen(mean(error)) / self.config.errors_beyond for mean, widen in self._means]
        scores += [self._likelihood(error) / self.config.decades] if self._likelihood else []
        return self._if_rising(max(scores) if self._rows > self.first else 0.0)

    def _if_rising(self, score: float) -> float:
        """The score itself, or 0 where one of the last rows had as high a one."""
        while self._maxima and self._maxima[0][0] < self._rows - self.config.quiet:
            self._maxima.popleft()
        highest = self._maxima[0][1] if self._maxima else 0.0
        while self._maxima and self._maxima[-1][1] <= score:
            self._maxima.pop()
        self._maxima.append((self._rows, score))
        return score if score > highest else 0.0


class _Range:
    """The range of all numbers before."""

    def __init__(self):
        self._low, self._high = math.inf, -math.inf

    def __call__(self, number: float) -> float:
        """How far a number is outside of the range before, as a part of it; then widen the range."""
        if self._low > self._high:  # the first number
            self._low = self._high = number
        distance = max(number - self._high, self._low - number) / max(self._high - self._low, FLOOR)
        self._low, self._high = min(self._low, number), max(self._high, number)
        return max(distance, 0.0)


class _Mean:
    """The mean of the latest numbers."""

    def __init__(self, span: int):
        self._latest: collections.deque[float] = collections.deque(maxlen=span)

    def __call__(self, number: float) -> float:
        self._latest.append(number)
        return sum(self._latest) / len(self._latest)


class _Likelihood:
    """−log10 of the tail probability of the absolute mean error, by Welford's running moments of such means before."""

    def __init__(self, short: int):
        self._latest = _Mean(short)
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def __call__(self, error: float) -> float:
        mean = abs(self._latest(error))
        std = math.sqrt(self._squares / max(self._count, 1)) + FLOOR
        tail = -float(log_ndtr((self._mean - mean) / std)) / math.log(10)
        self._count += 1
        change = mean - self._mean
        self._mean += change / self._count
        self._squares += change * (mean - self._mean)
        return tail
