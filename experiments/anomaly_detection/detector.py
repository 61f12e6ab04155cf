"""Detect anomalies with the network of a series: row by row as they come, or in many whole series side by side."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.anomaly_detection.anomaly_score import AnomalyScore
from experiments.anomaly_detection.config import AnomalyScoreConfig, Config
from experiments.anomaly_detection.features import FEATURES, FeatureExtractor, SeriesFeatures, SeriesScaling
from experiments.common.table_notes import number_text
from experiments.common.table_rows import Row
from rnn_jax.data import pad
from rnn_jax.models.gaussian import WIDTH, GaussianModel
from rnn_jax.typing import Params

ALARM = 1.0
"""The anomaly score from which on there is an alarm where no labels give a threshold."""


class Detection(NamedTuple):
    """The prediction of a row and its anomaly score; numbers, or arrays `[T]` of all rows of a series."""

    prediction: np.ndarray
    """In the units of the values, as are the ends of the interval that is to hold 90 %."""
    low: np.ndarray
    high: np.ndarray
    anomaly_score: np.ndarray
    """See `AnomalyScore`."""


Step = Callable[[Any, np.ndarray], tuple[Any, Any]]
"""A step of the network of a series: from carry and inputs `[7]` to the next carry and the distribution `[1, 1]`."""


class Detector:
    """Detects anomalies in one stream, row by row as it comes.

    Args:
        config: of the run.
        model: the network of the series.
        scaling: of the series.
        first: rows at the beginning that have the score 0.
        step: of the network, from carry and inputs `[7]`, where several detectors share one that is compiled.

    Attributes:
        inputs: what the network has read of the last row, `[7]`.
    """

    def __init__(
        self, config: Config, model: GaussianModel, scaling: SeriesScaling, first: int, step: Step | None = None
    ):
        self._extract = FeatureExtractor(scaling, config.model.ahead)
        self._score = AnomalyScore(config.score, first)
        self._carry = model.initial_carry((1,))
        self._step = step or jax.jit(lambda carry, x: model.step(carry, x[None]))

        self.inputs = np.zeros(FEATURES, np.float32)

    def __call__(self, time: np.datetime64, value: float) -> Detection:
        """The detection of the next row; a missing value, NaN, has the score 0."""
        row = self._extract(time, value)
        self.inputs = row.inputs
        self._carry, (mean, std) = self._step(self._carry, row.inputs)
        center, std = row.known + float(mean[0, 0]), float(std[0, 0])
        prediction, low, high = self._extract.scaling.to_values(center + np.array([0, -WIDTH, WIDTH]) * std)
        return Detection(prediction, low, high, np.array(self._score(row.value, row.value - center)))


def alarms(detector: Detector, rows: Iterable[Row]) -> Iterator[str]:
    """The alarms in a stream of rows, each in words as soon as its row has come."""
    for row in rows:
        time, value = np.datetime64(row.time, "us"), float(row.values[0])
        detection = detector(time, value)
        if detection.anomaly_score >= ALARM:
            yield alarm_line(row.told, value, detection, row.number)


def alarm_line(when: str, value: float, detection: Detection, row: int) -> str:
    """The detection of one row in words; 1 is the first row after the header."""
    prediction, low, high, score = (float(x) for x in detection)
    expected, least, most = (number_text(x, high - low) for x in (prediction, low, high))
    return f"{when}  {value:.12g}, expected {expected} ({least} to {most}), anomaly score {score:.2f}, row {row}"


def detect_all(
    config: Config, rebuild: Callable[[Params], GaussianModel], params: Params, features: Sequence[SeriesFeatures]
) -> list[Detection]:
    """The detections of all rows of series, their networks side by side; equal to those of a `Detector` of each.

    Args:
        config: of the run.
        rebuild: from the parameters of one network to its model.
        params: of all networks, `[S, ...]`.
        features: of the series; their training rows have the score 0.
    """
    inputs, lengths = pad([np.stack([row.inputs for row in one.rows]) for one in features])
    compute = jax.jit(jax.vmap(lambda params, xs: rebuild(params)(xs)))
    distributions = compute(params, inputs.swapaxes(0, 1)[:, :, None])
    change, std = (np.asarray(x, np.float64)[:, :, 0, 0] for x in distributions)
    detections = []
    for i, (one, n) in enumerate(zip(features, lengths, strict=True)):
        mean = np.array([row.known for row in one.rows]) + change[i, :n]
        prediction, low, high = (one.scaling.to_values(mean + side * WIDTH * std[i, :n]) for side in (0, -1, 1))
        errors = np.array([row.value for row in one.rows]) - mean
        detections.append(Detection(prediction, low, high, score_all(config.score, one, errors)))
    return detections


def score_all(config: AnomalyScoreConfig, features: SeriesFeatures, errors: np.ndarray) -> np.ndarray:
    """The anomaly score of each row of a series, float64 `[T]`; errors `[T]` in its units."""
    score = AnomalyScore(config, features.training_rows)
    return np.array([score(row.value, float(error)) for row, error in zip(features.rows, errors, strict=True)])
