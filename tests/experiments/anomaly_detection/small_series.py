"""A short series with a daily cycle and missing values."""

import numpy as np

from experiments.anomaly_detection import EXPERIMENT
from experiments.anomaly_detection.data import TimeSeries
from experiments.anomaly_detection.features import SeriesFeatures

CONFIG = EXPERIMENT.configure({"hidden_size": 4, "ahead": 3, "learn": 60, "short": 5, "quiet": 10})
START = np.datetime64("2024-01-01T00:00", "us")


def make_series(name: str, rows: int, seed: int = 0, **changes) -> TimeSeries:
    rng = np.random.default_rng(seed)
    hours = rng.choice([1, 1, 1, 2], rows).cumsum()
    values = 50 + 10 * np.sin(hours * np.pi / 12) + rng.normal(size=rows)
    values[rng.integers(0, rows, 5)] = np.nan
    return TimeSeries(name, START + hours * np.timedelta64(3600, "s"), values)._replace(**changes)


def features_of(series: TimeSeries) -> SeriesFeatures:
    return SeriesFeatures.of(series, CONFIG.model.ahead, CONFIG.model.learn)
