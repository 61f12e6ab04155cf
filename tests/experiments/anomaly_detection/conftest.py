"""Two series of different lengths, their networks, and the detections."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import pytest

from experiments.anomaly_detection.detector import Detection, detect_all
from experiments.anomaly_detection.features import SeriesFeatures
from tests.experiments.anomaly_detection.small_series import CONFIG, features_of, make_series


class Detected(NamedTuple):
    features: list[SeriesFeatures]
    params: Any
    rebuild: Callable
    detections: list[Detection]


@pytest.fixture(scope="module")
def detected():
    features = [features_of(make_series("one", 150)), features_of(make_series("two", 110, seed=1))]
    params, rebuild = CONFIG.model.predictors(2, jax.random.key(0))
    return Detected(features, params, rebuild, detect_all(CONFIG, rebuild, params, features))
