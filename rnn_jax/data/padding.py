"""Sequences of different lengths as arrays of one shape: padded, or packed end to end with resets between them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Padded(NamedTuple):
    """Sequences side by side, each followed by padding."""

    values: np.ndarray
    """`[T, B, ...]`"""
    lengths: np.ndarray
    """int32 `[B]`, the valid steps of each."""

    @property
    def wasted(self) -> float:
        """The share of the steps that is padding."""
        return float(1 - self.lengths.sum() / max(1, self.values.shape[0] * self.values.shape[1]))


class Packed(NamedTuple):
    """Sequences one after the other in few rows."""

    values: np.ndarray
    """`[T, B, ...]`"""
    resets: np.ndarray
    """bool `[T, B]`, true at the first step of every sequence: what `rnn_jax.unroll` takes."""
    lengths: np.ndarray
    """int32 `[B]`, the steps of each row that hold something."""
    places: np.ndarray
    """int32 `[N, 2]`: the first step and the row of each sequence."""

    @property
    def wasted(self) -> float:
        """The share of the steps that is padding."""
        return float(1 - self.lengths.sum() / max(1, self.values.shape[0] * self.values.shape[1]))


def pad(sequences: Sequence[np.ndarray], length: int | None = None, value: float | int = 0) -> Padded:
    """Put sequences side by side.

    Args:
        sequences: `[t, ...]` each, of one dtype and the same trailing dims.
        length: T; the longest sequence's by default.
        value: what the padding holds. Nothing that takes `lengths` ever looks at it.

    Raises:
        ValueError: there are no sequences, they do not fit together, or one is longer than `length`.
    """
    arrays = _arrays(sequences)
    lengths = np.array([len(a) for a in arrays], np.int32)
    length = int(lengths.max()) if length is None else length
    if lengths.max() > length:
        longest = int(lengths.argmax())
        raise ValueError(f"sequences[{longest}] has {lengths[longest]} steps: expected at most length={length}")
    values = np.full((length, len(arrays), *arrays[0].shape[1:]), value, arrays[0].dtype)
    for row, array in enumerate(arrays):
        values[: len(array), row] = array
    return Padded(values, lengths)


def pack(sequences: Sequence[np.ndarray], length: int) -> Packed:
    """Put sequences end to end into as few rows of `length` steps as the longest-first rule finds (Johnson 1973).

    Args:
        sequences: `[t, ...]` each with t ≥ 1, of one dtype and the same trailing dims.
        length: T.

    Raises:
        ValueError: there are no sequences, they do not fit together, or one is empty or longer than `length`.
    """
    arrays = _arrays(sequences)
    lengths = np.array([len(a) for a in arrays])
    if lengths.min() < 1 or lengths.max() > length:
        wrong = int(lengths.argmin() if lengths.min() < 1 else lengths.argmax())
        raise ValueError(f"sequences[{wrong}] has {lengths[wrong]} steps: expected 1 to length={length}")
    filled: list[int] = []
    places = np.zeros((len(arrays), 2), np.int32)
    for i in np.argsort(-lengths, kind="stable"):
        row = next((row for row, steps in enumerate(filled) if steps + lengths[i] <= length), len(filled))
        if row == len(filled):
            filled.append(0)
        places[i] = filled[row], row
        filled[row] += int(lengths[i])
    values = np.zeros((length, len(filled), *arrays[0].shape[1:]), arrays[0].dtype)
    resets = np.zeros(values.shape[:2], bool)
    for array, (step, row) in zip(arrays, places, strict=True):
        values[step : step + len(array), row] = array
        resets[step, row] = True
    return Packed(values, resets, np.array(filled, np.int32), places)


def unpack(ys: np.ndarray, packed: Packed, lengths: Sequence[int]) -> list[np.ndarray]:
    """The parts of outputs `[T, B, ...]` that belong to each packed sequence, of these lengths."""
    return [ys[step : step + n, row] for (step, row), n in zip(packed.places, lengths, strict=True)]


def _arrays(sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise ValueError("sequences is empty: expected at least one")
    for i, array in enumerate(arrays):
        if array.ndim == 0 or (array.dtype, array.shape[1:]) != (arrays[0].dtype, arrays[0].shape[1:]):
            wanted = f"{arrays[0].dtype}[t, {', '.join(map(str, arrays[0].shape[1:]))}]"
            raise ValueError(f"sequences[{i}] is {array.dtype}{list(array.shape)}: expected {wanted}, as the first is")
    return arrays
