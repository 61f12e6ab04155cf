"""What pictures are classified by without learning to read them: the nearest mean."""

import numpy as np


def nearest_mean(examples: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The class whose mean example is nearest to each query, int `[M]`; examples `[N, ...]`, queries `[M, ...]`."""
    classes = np.unique(labels)
    means = np.stack([examples[labels == label].mean(axis=0).ravel() for label in classes])
    flat = queries.reshape(len(queries), -1).astype(np.float64)
    return classes[((means**2).sum(axis=1) - 2 * flat @ means.T).argmin(axis=1)]
