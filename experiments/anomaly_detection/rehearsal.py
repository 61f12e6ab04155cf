"""Anomalies of our own in series: what the options of the anomaly score are chosen by where no label may be read.

What is put in are the usual kinds: spikes, and pieces that are higher, drift, are noisy, stand still, swing less or
more, or come from another time of the series. Goswami et al. 2023, "Unsupervised model selection for time-series
anomaly detection", arXiv:2210.01078, choose detectors so. What is odd in a series anyhow counts as usual here, for all
options alike, so that scores are to be compared with each other only.
"""

import itertools
from collections.abc import Callable

import numpy as np

from experiments.anomaly_detection.data import TimeSeries

COUNT = 2
"""Anomalies in a series, each somewhere in a half of its own of what comes after the training rows."""
Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
KINDS: dict[str, Change] = {
    "level": lambda part, size, rng: part + size,
    "trend": lambda part, size, rng: part + size * np.linspace(0, 1, len(part)),
    "noise": lambda part, size, rng: part + abs(size) * rng.normal(size=len(part)),
    "flat": lambda part, size, rng: np.full_like(part, part[0]),
    "swing": lambda part, size, rng: np.nanmedian(part) + (part - np.nanmedian(part)) * rng.choice([0.1, 3.0]),
}
"""From the values of a piece, and a size in their units, to what is there instead; beside spikes and foreign pieces."""


def with_anomalies(series: TimeSeries, first: int, rng: np.random.Generator) -> TimeSeries:
    """A series with anomalies put in, and windows around them, about as wide as the benchmark's; its own are left out.

    Sizes are 1 to 5 standard deviations of the first rows, up or down; pieces have 5 rows to a whole window.

    Args:
        series: a series.
        first: rows at the beginning, to learn from, that stay as they are.
        rng: draws.
    """
    values, rows = series.values.copy(), len(series.values)
    width, windows = (rows - first) // (8 * COUNT), []
    unit = float(np.nanstd(values[:first])) or 0.1 * max(abs(float(np.nanmean(values[:first]))), 1.0)
    edges = np.linspace(first, rows, COUNT + 1).astype(int)
    for left, right in itertools.pairwise(edges.tolist()):
        start = int(rng.integers(left + width // 2, max(right - width, left + width // 2 + 1)))
        length = int(np.exp(rng.uniform(np.log(5), np.log(max(width - width // 10, 6)))))
        size = rng.uniform(1, 5) * unit * rng.choice([-1, 1])
        kind = str(rng.choice([*KINDS, "spike", "foreign"]))
        piece = slice(start, start + (int(rng.integers(1, 4)) if kind == "spike" else length))
        if kind == "spike":
            values[piece] += 2 * size
        elif kind == "foreign":
            other = int(rng.integers(rows - length))
            values[piece] = series.values[other : other + length][: len(values[piece])]
        else:
            values[piece] = KINDS[kind](values[piece], size, rng)
        opened = max(start - width // 10, 0)
        windows.append((opened, min(opened + width, rows - 1)))
    return series._replace(values=values, windows=tuple(windows))
