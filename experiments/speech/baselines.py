"""What a recogniser of speech is measured against: the nearest recording of the training part."""

from collections.abc import Sequence

import numpy as np

from experiments.common.recogniser import recording_features
from experiments.common.recordings import Recording
from rnn_jax.data.features import LogMel


def nearest_recording(
    training: Sequence[Recording], test: Sequence[Recording], frontend: LogMel | None
) -> dict[str, float]:
    """Without learning: the % of test recordings whose nearest one in the training part has the same words.

    Near: by the Euclidean distance between mean and deviation of the features over time, each standardised.
    """
    near, far = (_moments(recordings, frontend) for recordings in (training, test))
    scale = near.std(axis=0) + 1e-8
    near, far = near / scale, far / scale
    squares = (far**2).sum(axis=1)[:, None] - 2 * far @ near.T + (near**2).sum(axis=1)
    right = [training[int(k)].words == r.words for k, r in zip(squares.argmin(axis=1), test, strict=True)]
    return {"nearest recording": 100 * float(np.mean(right))}


def _moments(recordings: Sequence[Recording], frontend: LogMel | None) -> np.ndarray:
    """Mean and deviation over time of each recording's features, `[N, 2 D]`."""
    rows = []
    for xs, valid in recording_features(recordings, frontend):
        count = valid.sum(axis=0)[:, None]
        mean = (xs * valid[..., None]).sum(axis=0) / count
        rows.append(np.hstack([mean, np.sqrt(((xs - mean) ** 2 * valid[..., None]).sum(axis=0) / count)]))
    return np.concatenate(rows)
