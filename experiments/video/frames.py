"""The next frame of a video: recurrent layers whose states are images, or flat vectors."""

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells import make_cell
from rnn_jax.cells.base import Cell
from rnn_jax.checks import check_size
from rnn_jax.compose import Stack
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array, Carry


class FrameModel(nnx.Module):
    """p(next frame | frames before it), each pixel apart; pixels are from 0 to 1.

    Frames are cut into patches, whose pixels are channels, as in Shi et al. 2015, arXiv:1506.04214, section 4.1. Cells
    that read vectors have the whole frame as their only patch.

    Args:
        cell: a cell or a stack of inputs `[size / patch, size / patch, patch²]`, or `[size²]`.
        size: rows and columns of a frame.
        rngs: draws the parameters.
    """

    def __init__(self, cell: Cell, size: int, *, rngs: nnx.Rngs):
        self.flat = len(cell.input_shape) == 1
        self.patch, self.size = round(cell.input_size**0.5), size
        self.layer = Recurrent(cell, rngs=rngs)
        dark = nnx.initializers.constant(-2.0)  # most pixels are
        self.score = nnx.Linear(cell.output_size, cell.input_size, bias_init=dark, rngs=rngs)

    def __call__(self, frames: Array) -> jax.Array:
        """Logits float32 `[T, B, S, S]` of the frame after each of `[T, B, S, S]`."""
        return self._unfold(self.score(self.layer(self._fold(frames)).ys))

    def start(self, batch_size: int) -> Carry:
        """The carry before the first frame."""
        return self.layer.initial_carry((batch_size,))

    def step(self, carry: Carry, frame: Array) -> tuple[Carry, jax.Array]:
        """One frame `[B, S, S]` to the next carry and the logits `[B, S, S]` of the frame after it."""
        carry, y = self.layer.step(carry, self._fold(frame))
        return carry, self._unfold(self.score(y))

    def _fold(self, frames: Array) -> jax.Array:
        frames = jnp.asarray(frames)
        leading, count = frames.shape[:-2], self.size // self.patch
        if self.flat:
            return frames.reshape(*leading, -1)
        patches = frames.reshape(*leading, count, self.patch, count, self.patch)
        return jnp.swapaxes(patches, -3, -2).reshape(*leading, count, count, self.patch**2)

    def _unfold(self, ys: jax.Array) -> jax.Array:
        count = self.size // self.patch
        leading = ys.shape[: -1 if self.flat else -3]
        patches = ys.reshape(*leading, count, count, self.patch, self.patch)
        return jnp.swapaxes(patches, -3, -2).reshape(*leading, self.size, self.size)


def build_frame_model(
    cell: str, hidden_size: int, layers: int, size: int, key: jax.Array, *, patch: int = 2, kernel_size: int = 3
) -> FrameModel:
    """The model of some cell in `rnn_jax.CELLS`.

    Args:
        cell: conv_lstm or conv_gru, or one that reads vectors.
        hidden_size: channels of an image, or features of a vector.
        layers: one above the other.
        size: rows and columns of a frame.
        key: a typed key.
        patch: rows and columns of a patch; of no account where frames are flat.
        kernel_size: of the convolutions, likewise.

    Raises:
        ValueError: the frame cannot be cut into patches of that size, or there is no such cell.
    """
    check_size("layers", layers)
    spatial = len(make_cell(cell, 1, 1).input_shape) > 1
    if spatial and (patch < 1 or size % patch):
        raise ValueError(f"patch={patch}: expected a divisor of {size}, the rows and columns of a frame")
    options = {"spatial_shape": (size // patch,) * 2, "kernel_size": kernel_size} if spatial else {}
    below, cells = patch**2 if spatial else size**2, []
    for _ in range(layers):
        cells.append(make_cell(cell, below, hidden_size, **options))
        below = hidden_size
    return FrameModel(Stack(cells), size, rngs=nnx.Rngs(params=key))


def frame_nats(model: FrameModel, frames: Array) -> tuple[jax.Array, jax.Array]:
    """Summed nats of all frames `[T, B, S, S]` but the first, and their number: cross entropies of their pixels."""
    frames = jnp.asarray(frames)
    logits = model(frames[:-1])
    return binary_cross_entropy(logits.reshape(*logits.shape[:2], -1), frames[1:].reshape(*logits.shape[:2], -1))


def roll_out(model: FrameModel, given: Array, steps: int) -> jax.Array:
    """What a model expects after frames `[T, B, S, S]`, each expected frame being read as if it had been seen.

    Returns:
        float32 `[steps, B, S, S]`.
    """

    def seen(carry: Carry, frame: jax.Array) -> tuple[Carry, jax.Array]:
        carry, logits = model.step(carry, frame)
        return carry, jax.nn.sigmoid(logits)

    def imagined(state: tuple[Carry, jax.Array], _: None) -> tuple[tuple[Carry, jax.Array], jax.Array]:
        carry, frame = state
        return seen(carry, frame), frame

    given = jnp.asarray(given)
    carry, expected = jax.lax.scan(seen, model.start(given.shape[1]), given)
    return jax.lax.scan(imagined, (carry, expected[-1]), length=steps)[1]
