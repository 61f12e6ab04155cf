"""A long token sequence as batches of parallel rows, for models that carry their state from batch to batch."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class TokenStream:
    """Endless training batches for truncated backpropagation through time.

    In each epoch the text is rotated by a random offset and cut into `batch_size` contiguous rows, and the rows are cut
    into batches of `length` steps: row b of a batch continues row b of the batch before. No token is a target twice in
    an epoch; where the rows begin, and which fewer than B x T + 1 tokens are no target, differs from epoch to epoch.
    Where the rotated text wraps, its first token follows its last.

    Batch i is a pure function of (tokens, batch_size, length, seed, i), so the number of the next batch is all that a
    resumed run has to know.

    Attributes:
        tokens: the text, int32 [N].
        batch_size: number of rows B.
        length: number of steps T of a batch.
        seed: non-negative; the offsets of the epochs follow from it.

    Raises:
        ValueError: an argument is not of this form, or the text is shorter than batch_size x length + 1 tokens.
    """

    tokens: np.ndarray
    batch_size: int
    length: int
    seed: int

    def __post_init__(self):
        _check_tokens(self.tokens)
        _check_at_least(1, batch_size=self.batch_size, length=self.length)
        _check_at_least(0, seed=self.seed)
        needed = self.batch_size * self.length + 1
        if len(self.tokens) < needed:
            raise ValueError(
                f"tokens has {len(self.tokens)} tokens; batch_size={self.batch_size} x length={self.length} needs "
                f"at least {needed}: lower batch_size or length, or give a longer text"
            )

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches before the text is rotated anew."""
        return (len(self.tokens) - 1) // (self.batch_size * self.length)

    def batch(self, i: int) -> dict[str, np.ndarray | np.bool_]:
        """Return batch number i, counted from 0 through all epochs.

        Returns:
            `inputs` int32 [T, B]; `targets` int32 [T, B], the token after each input; `fresh`, a scalar, True where the
            batch opens an epoch, so that the carried state has to start again from the initial one.

        Raises:
            ValueError: i is negative.
        """
        _check_at_least(0, i=i)
        epoch, step = divmod(i, self.batches_per_epoch)
        offset = np.random.default_rng([self.seed, epoch]).integers(len(self.tokens))
        row_length = self.batches_per_epoch * self.length
        starts = offset + row_length * np.arange(self.batch_size) + self.length * step
        window = self.tokens[(starts + np.arange(self.length + 1)[:, None]) % len(self.tokens)]
        return {"inputs": window[:-1], "targets": window[1:], "fresh": np.bool_(step == 0)}


def evaluation_rows(tokens: np.ndarray, batch_size: int, length: int, context: int) -> dict[str, np.ndarray]:
    """Lay out a held-out text so that a recurrent model scores each of its tokens exactly once, in parallel rows.

    The N - 1 tokens that have a predecessor are cut into `batch_size` contiguous rows. To warm its state up, a row
    reads the `context` tokens before the input of its first score, or as many as the text has there; the state starts
    from the initial one and is carried through the n batches. With context >= N the scores are those of one pass.

    Args:
        tokens: the text, int32 [N], N >= 2.
        batch_size: number of rows B.
        length: number of steps T of a batch.
        context: number of warm-up tokens of a row.

    Returns:
        `inputs` int32 [n, T, B]; `targets` int32 [n, T, B], the token after each input; `weights` float32 [n, T, B], 1
        for the N - 1 targets to score, 0 in the warm-up and after the end of a row.

    Raises:
        ValueError: an argument is not of this form.
    """
    _check_tokens(tokens)
    _check_at_least(1, batch_size=batch_size, length=length)
    _check_at_least(0, context=context)
    last_token = len(tokens) - 1
    if last_token < 1:
        raise ValueError(f"tokens has {len(tokens)} tokens; at least 2 are expected, one to read and one to predict")
    row_length = -(-last_token // batch_size)
    first = 1 + row_length * np.arange(batch_size)
    end = np.minimum(first + row_length, last_token + 1)
    start = np.maximum(first - context, 1)
    batches = -(-int((end - start).max()) // length)

    # Index of the target at each step and row; it runs on past the end of a row, where the weight is 0.
    index = start + np.arange(batches * length)[:, None]
    weights = (first <= index) & (index < end)
    index = np.minimum(index, last_token)
    rows = {"inputs": tokens[index - 1], "targets": tokens[index], "weights": weights.astype(np.float32)}
    return {name: array.reshape(batches, length, batch_size) for name, array in rows.items()}


def _check_tokens(tokens: np.ndarray) -> None:
    if tokens.ndim != 1 or tokens.dtype != np.int32:
        raise ValueError(f"tokens has shape {tokens.shape} and type {tokens.dtype}; a vector int32 [N] is expected")


def _check_at_least(least: int, **arguments: int) -> None:
    for name, value in arguments.items():
        if value < least:
            raise ValueError(f"{name}={value} must be at least {least}")
