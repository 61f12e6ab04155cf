"""What reads frames for an encoder-decoder: a vector for each, of where something is and of what it is."""

import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.video.data import SIZE
from rnn_jax.cells.convolutional.conv import convolve
from rnn_jax.models.encoder_decoder import Reader
from rnn_jax.typing import Array


class CoarseReader(nnx.Module):
    """Two convolutions with max-pooling tell where something is, a third one what it is, in every frame.

    The features of the third are the largest found anywhere, so that a digit looks the same wherever it is. A pixel of
    what it sees is four by four of a frame: too coarse to tell all digits apart, see `FineReader`.

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
        where = self.where(xs.reshape(xs.shape[0], -1))
        return (what + where).reshape(*frames.shape[:2], -1)


class FineReader(nnx.Module):
    """Four convolutions, pooled once, tell what some of the frames show, and two layers where it is in all of them.

    What a frame shows is looked at once in `look_every` frames, as it seldom changes from one to the next, and this is
    where the time goes; where it is has to be seen of every frame, as this tells which way it moves.

    Args:
        embedding_size: E.
        rngs: draws the parameters.
        look_every: frames of which the first is looked at.
        channels: of the first convolution; each of the others has twice as many as the one before.
        hidden: units between the pixels of a frame and where something is.
        size: rows and columns of a frame, even.
    """

    def __init__(
        self, embedding_size: int, rngs: nnx.Rngs, *, look_every: int = 4, channels: int = 8, hidden: int = 128,
        size: int = SIZE,
    ):  # fmt: skip
        widths = [1, *(channels * 2**k for k in range(4))]
        self.convolutions = nnx.List(
            nnx.Conv(a, b, (3, 3), kernel_init=nnx.initializers.he_normal(), rngs=rngs)
            for a, b in itertools.pairwise(widths)
        )
        self.what = nnx.Linear(widths[-1], embedding_size, rngs=rngs)
        self.pixels = nnx.Linear(size**2, hidden, rngs=rngs)
        self.where = nnx.Linear(hidden, embedding_size, rngs=rngs)
        self.look_every = look_every

    def __call__(self, frames: Array) -> jax.Array:
        """Frames `[S, B, rows, columns]`, from 0 to 1, to vectors `[S, B, E]`."""
        frames = jnp.asarray(frames)
        steps, batch = frames.shape[:2]
        where = self.where(jax.nn.relu(self.pixels(frames.reshape(steps, batch, -1))))
        looked = frames[:: self.look_every]
        xs = looked.reshape(-1, *frames.shape[2:], 1)
        for k, convolution in enumerate(self.convolutions):
            xs = _convolved(convolution, xs)
            xs = xs if k else _halved(xs)
        what = self.what(xs.max(axis=(1, 2))).reshape(looked.shape[0], batch, -1)
        return where + jnp.repeat(what, self.look_every, axis=0)[:steps]


def _convolved(convolution: nnx.Conv, xs: jax.Array) -> jax.Array:
    assert convolution.bias is not None
    return jax.nn.relu(convolve(xs, convolution.kernel[...], convolution.bias[...]))


def _halved(xs: jax.Array) -> jax.Array:
    """Max-pooling of two by two pixels `[N, rows, columns, D]`; its gradient costs far less than that of a window's."""
    rows = jnp.maximum(xs[:, ::2], xs[:, 1::2])
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])


def make_reader(reader: str, look_every: int) -> Callable[[int, nnx.Rngs], Reader]:
    """From embedding_size to a reader, fine or coarse."""
    return functools.partial(FineReader, look_every=look_every) if reader == "fine" else CoarseReader
