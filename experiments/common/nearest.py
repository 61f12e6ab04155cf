"""What no learning reaches: the label that most of the nearest examples have. Cover & Hart 1967."""

from collections.abc import Sequence

import numpy as np

from experiments.common.ink import as_features
from experiments.common.speech_data import Recording


def nearest_labels(examples: np.ndarray, labels: Sequence[str], queries: np.ndarray, neighbours: int) -> list[str]:
    """The commonest label among the nearest examples, by Euclidean distance; of several, that of the nearest.

    Args:
        examples: float `[N, D]`.
        labels: of the examples.
        queries: float `[M, D]`.
        neighbours: K, from 1 to N.

    Raises:
        ValueError: K is not from 1 to N.
    """
    from scipy.spatial import KDTree

    if not 1 <= neighbours <= len(examples):
        raise ValueError(f"neighbours={neighbours}: expected 1 to {len(examples)}, the number of examples")
    _, places = KDTree(examples).query(queries, k=range(1, neighbours + 1))
    near = np.asarray(labels)[places]  # [M, K], the nearest first
    counts = (near[:, :, None] == near[:, None, :]).sum(axis=2)
    return [str(row[best]) for row, best in zip(near, counts.argmax(axis=1), strict=True)]


def nearest_drawings(
    training: Sequence[Recording], validation: Sequence[Recording], test: Sequence[Recording]
) -> dict[str, float]:
    """The % of test drawings whose nearest training drawings show the same sign; K of 1 to 9 is best on validation.

    Near: by the distance of their points, each drawing one stroke of as many points, stretched to width and height 1.
    """
    points = [
        np.stack([d.wave[:, :2].ravel() for d in as_features(part, several=False)])
        for part in (training, validation, test)
    ]
    labels = [[d.words[0] for d in part] for part in (training, validation, test)]

    def right(part: int, neighbours: int) -> float:
        found = nearest_labels(points[0], labels[0], points[part], neighbours)
        return 100 * float(np.mean([a == b for a, b in zip(found, labels[part], strict=True)]))

    best = max((k for k in (1, 3, 5, 7, 9) if k <= len(training)), key=lambda k: right(1, k))
    return {f"{best} nearest drawings": right(2, best)}


def nearest_mean(examples: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The class whose mean example is nearest to each query, int `[M]`; examples `[N, ...]`, queries `[M, ...]`."""
    classes = np.unique(labels)
    means = np.stack([examples[labels == label].mean(axis=0).ravel() for label in classes])
    flat = queries.reshape(len(queries), -1).astype(np.float64)
    return classes[((means**2).sum(axis=1) - 2 * flat @ means.T).argmin(axis=1)]
