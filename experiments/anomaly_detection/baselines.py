"""What a detector is measured against: how far a value is from the mean of those before it."""

import numpy as np
from scipy.special import erfc


def windowed_gaussian(values: np.ndarray, window: int = 6400, step: int = 100) -> np.ndarray:
    """Anomaly scores of a series, as the windowed Gaussian of the Numenta Anomaly Benchmark gives them.

    One minus the probability that a normal variable is as far from its mean, on that side; mean and deviation are those
    of all values before, or, after the first `window`, of the last `window` ones, moved on every `step` rows. Scores
    keep 12 decimals, which is how the benchmark's published 39.6 of 100 come about.

    Args:
        values: float `[T]`, finite.
        window: the sizes that the benchmark took.
        step: see above.

    Returns:
        float64 `[T]`, from 0 to 1; the first is 0.
    """
    values = np.asarray(values, np.float64)
    values = values - values[0]
    sums, squares = (np.concatenate([[0.0], np.cumsum(x)]) for x in (values, values**2))
    row = np.arange(len(values))
    first = np.maximum(row - window, 0) // step * step
    end = np.where(row <= window, row, first + window)
    count = np.maximum(end - first, 1)
    mean = (sums[end] - sums[first]) / count
    std = np.sqrt(np.maximum((squares[end] - squares[first]) / count - mean**2, 0.0))
    far = np.abs(values - mean) / np.where(std < 1e-12, 1e-6, std)
    scores = 1 - 0.5 * erfc(far / np.sqrt(2))
    scores[0] = 0.0
    return np.round(scores, 12)
