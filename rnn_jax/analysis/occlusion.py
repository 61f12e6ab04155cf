"""Which parts of a sequence drive a score: take one out and look. Zeiler & Fergus 2013, arXiv:1311.2901."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rnn_jax.data import pad


def occlusion(
    score: Callable[[np.ndarray, np.ndarray], Any],
    tokens: np.ndarray,
    spans: Sequence[tuple[int, int]],
    replacement: Any,
    *,
    batch_size: int = 64,
) -> np.ndarray:
    """How much a score falls when a part of the sequence is replaced; negative where it rises.

    Args:
        score: from tokens `[T, B, ...]` and lengths int32 `[B]` to scores `[B]`, such as the log-odds of a class. It is
            always called with `batch_size` rows.
        tokens: int `[T, ...]`, the sequence.
        spans: first step of each part, and the step after its last one.
        replacement: what stands in the place of each step of the part, such as the token of unknown words.
        batch_size: variants of the sequence in one call of `score`.

    Returns:
        float `[len(spans)]`.

    Raises:
        ValueError: a span is not inside of the sequence.
    """
    variants = [tokens]
    for start, end in spans:
        if not 0 <= start < end <= len(tokens):
            raise ValueError(f"span {(start, end)} is not inside of a sequence of {len(tokens)} steps")
        variants.append(tokens.copy())
        variants[-1][start:end] = replacement
    scores: list[float] = []
    for first in range(0, len(variants), batch_size):
        rows = variants[first : first + batch_size]
        batch = pad(rows + [tokens] * (batch_size - len(rows)))
        scores += np.asarray(score(batch.values, batch.lengths)).tolist()[: len(rows)]
    return scores[0] - np.array(scores[1:])
