"""Videos to sentences: what reads frames for an encoder-decoder, training batches, and how many captions are right."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.video.data import MOST_PASSAGES, PASSAGE, SIZE, Digits, captioned
from rnn_jax.cells.convolutional.conv import convolve
from rnn_jax.data.parallel import teacher_forcing
from rnn_jax.data.vocabulary import Words
from rnn_jax.typing import Array

LONGEST = MOST_PASSAGES * PASSAGE
"""Frames, and words with the end, of a captioned video at most."""


class FrameReader(nnx.Module):
    """A vector for each frame: two convolutions with max-pooling tell where something is, a third one what it is.

    The features of the third are the largest found anywhere, so that a digit looks the same wherever it is.

    Args:
        embedding_size: E.
        rngs: draws the parameters.
        channels: of the first convolution; each of the others has twice as many as the one before.
        size: rows and columns of a frame, a multiple of 4.
    """

    def __init__(self, embedding_size: int, rngs: nnx.Rngs, *, channels: int = 16, size: int = SIZE):
        self.first = nnx.Conv(1, channels, (3, 3), rngs=rngs)
        self.second = nnx.Conv(channels, 2 * channels, (3, 3), rngs=rngs)
        self.third = nnx.Conv(2 * channels, 4 * channels, (3, 3), rngs=rngs)
        self.where = nnx.Linear(2 * channels * (size // 4) ** 2, embedding_size, rngs=rngs)
        self.what = nnx.Linear(4 * channels, embedding_size, rngs=rngs)

    def __call__(self, frames: Array) -> jax.Array:
        """Frames `[S, B, rows, columns]`, from 0 to 1, to vectors `[S, B, E]`."""
        frames = jnp.asarray(frames)
        xs = frames.reshape(-1, *frames.shape[2:], 1)
        for convolution in (self.first, self.second):
            xs = nnx.max_pool(_convolved(convolution, xs), (2, 2), (2, 2))
        what = self.what(_convolved(self.third, xs).max(axis=(1, 2)))
        where = self.where(xs.reshape(len(xs), -1))
        return (what + where).reshape(*frames.shape[:2], -1)


def _convolved(convolution: nnx.Conv, xs: jax.Array) -> jax.Array:
    assert convolution.bias is not None
    return jax.nn.relu(convolve(xs, convolution.kernel[...], convolution.bias[...]))


@dataclasses.dataclass(frozen=True, eq=False)
class CaptionBatches:
    """Endless batches of captioned videos, batch i a pure function of (seed, i).

    Attributes:
        digits: to draw from.
        words: of the captions.
        batch_size: B.
        seed: non-negative.
    """

    digits: Digits
    words: Words
    batch_size: int
    seed: int

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """Batch i, as `rnn_jax.data.parallel.teacher_forcing` gives it: `source` is float32 `[S, B, 24, 24]`."""
        rng = np.random.default_rng([self.seed, i])
        videos, said = zip(*(captioned(self.digits, rng) for _ in range(self.batch_size)), strict=True)
        return teacher_forcing(videos, [self.words.encode(text) for text in said], LONGEST)


def caption_words(digits: Digits) -> Words:
    """The words that captions have, from a thousand of them."""
    rng = np.random.default_rng(0)
    return Words.fit(captioned(digits, rng)[1] for _ in range(1000))


def exact_captions(written: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """The % of captions, token for token, that are as they should be."""
    return 100 * float(np.mean([np.array_equal(a, b) for a, b in zip(written, wanted, strict=True)]))
