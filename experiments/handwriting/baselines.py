"""What a recogniser of handwriting is measured against: the label that most of the nearest drawings have."""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.spatial import KDTree

from experiments.common.recordings import Recording
from experiments.handwriting.strokes import as_features


def nearest_labels(examples: np.ndarray, labels: Sequence[str], queries: np.ndarray, neighbours: int) -> list[str]:
    """The commonest label among the nearest examples, by Euclidean distance; of several, that of the nearest.

    Cover & Hart 1967, "Nearest neighbor pattern classification".

    Args:
        examples: float `[N, D]`.
        labels: of the examples.
        queries: float `[M, D]`.
        neighbours: K, from 1 to N.

    Raises:
        ValueError: K is not from 1 to N.
    """
    if not 1 <= neighbours <= len(examples):
        raise ValueError(f"neighbours={neighbours}: expected 1 to {len(examples)}, the number of examples")
    _, indices = KDTree(examples).query(queries, k=range(1, neighbours + 1))
    near = np.asarray(labels)[indices]  # [M, K], the nearest first
    counts = (near[:, :, None] == near[:, None, :]).sum(axis=2)
    return [str(row[best]) for row, best in zip(near, counts.argmax(axis=1), strict=True)]


def nearest_drawings(
    training: Sequence[Recording], validation: Sequence[Recording], test: Sequence[Recording], *, hold_out: bool = True
) -> dict[str, float]:
    """The % of test drawings whose nearest known drawings show the same sign.

    Near: by the distance of their points, each drawing one stroke of as many points, stretched to width and height 1.

    Args:
        training: known drawings.
        validation: K of 1 to 9 is the one by which most of these are found among the training drawings, of equal ones
            the first.
        test: drawings.
        hold_out: whether the validation drawings are unknown to the test ones.
    """
    parts = (training, validation, test)
    points = [np.stack([d.signal[:, :2].ravel() for d in as_features(part, several=False)]) for part in parts]
    labels = [[d.words[0] for d in part] for part in parts]

    def accuracy(known: int, part: int, neighbours: int) -> float:
        examples, signs = np.concatenate(points[:known]), list(itertools.chain(*labels[:known]))
        predictions = nearest_labels(examples, signs, points[part], neighbours)
        return 100 * float(np.mean([a == b for a, b in zip(predictions, labels[part], strict=True)]))

    best = max((k for k in (1, 3, 5, 7, 9) if k <= len(training)), key=lambda k: accuracy(1, 1, k))
    name = "nearest drawing" if best == 1 else f"{best} nearest drawings"
    return {name: accuracy(1 if hold_out else 2, 2, best)}
