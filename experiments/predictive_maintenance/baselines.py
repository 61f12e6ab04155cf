"""What a network is measured against: ridge regression on means of the sensors, and a constant."""

from collections.abc import Sequence

import numpy as np

from experiments.predictive_maintenance.data import Engine
from experiments.predictive_maintenance.features import SensorScaling
from rnn_jax.metrics import root_mean_square_error


def ridge_errors(
    training: Sequence[Engine], test: Sequence[Engine], scaling: SensorScaling, cap: int, window: int = 30
) -> dict[str, float]:
    """The RMSE of a ridge regression, and of one constant, at the last cycles of test engines.

    The regression sees the means of the sensors over the last `window` cycles and over all of them, and the number of
    cycles; its penalty is 1 on standardised inputs.
    """

    def design(engine: Engine) -> np.ndarray:
        xs = scaling.features(engine).astype(np.float64)
        sums = np.vstack([np.zeros(xs.shape[1]), np.cumsum(xs, axis=0)])
        ends = np.arange(1, len(xs) + 1)
        begins = np.maximum(ends - window, 0)
        recent = (sums[ends] - sums[begins]) / (ends - begins)[:, None]
        return np.hstack([recent, sums[ends] / ends[:, None], ends[:, None]])

    xs = np.concatenate([design(engine) for engine in training])
    ys = np.concatenate([np.minimum(engine.rul, cap) for engine in training]).astype(np.float64)
    mean, std = xs.mean(axis=0), xs.std(axis=0) + 1e-8
    xs = (xs - mean) / std
    weights = np.linalg.solve(xs.T @ xs + np.eye(xs.shape[1]), xs.T @ (ys - ys.mean()))
    last = (np.stack([design(engine)[-1] for engine in test]) - mean) / std
    prediction = np.clip(last @ weights + ys.mean(), 0, cap)
    target = np.minimum([engine.rul[-1] for engine in test], cap)
    return {
        "ridge regression": root_mean_square_error(prediction, target),
        "the training lives' mean": root_mean_square_error(np.full(len(target), ys.mean()), target),
    }
