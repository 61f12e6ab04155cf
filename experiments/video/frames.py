"""The next frame of a video: recurrent layers whose states are images, or flat vectors, and the task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.common.keel import KEEL
from experiments.video.config import FrameModelConfig, FramesConfig
from experiments.video.data import SIZE, VIDEOS, BouncingBatches, load_digits, read_film
from experiments.video.figures import draw_filmstrip, side_by_side, write_gif
from experiments.video.task import VideoTask
from rnn_jax.cells import make_cell
from rnn_jax.cells.base import Cell
from rnn_jax.compose import Stack
from rnn_jax.data.sources import digests
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.nnx import Recurrent, functional
from rnn_jax.typing import Array, Carry, Params


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


def build_frame_model(config: FrameModelConfig, size: int, key: jax.Array) -> FrameModel:
    """The model of frames of so many rows and columns, its initial values drawn with a typed key.

    Raises:
        ValueError: the frame cannot be cut into patches of that size.
    """
    sizes = config.sizes
    if "patch" in sizes:
        patch, width = sizes["patch"], sizes["channels"]
        if size % patch:
            raise ValueError(f"patch={patch}: expected a divisor of {size}, the rows and columns of a frame")
        options = {"spatial_shape": (size // patch,) * 2, "kernel_size": sizes["kernel_size"]}
        below = patch**2
    else:
        options, below, width = {}, size**2, sizes["hidden_size"]
    cells = []
    for _ in range(config.layers):
        cells.append(make_cell(config.frame_cell, below, width, **options))
        below = width
    return FrameModel(Stack(cells), size, rngs=nnx.Rngs(params=key))


def frame_nats(model: FrameModel, frames: Array) -> tuple[jax.Array, jax.Array]:
    """Summed nats of all frames `[T, B, S, S]` but the first, and their number: cross entropies of their pixels."""
    frames = jnp.asarray(frames)
    logits = model(frames[:-1])
    return binary_cross_entropy(logits.reshape(*logits.shape[:2], -1), frames[1:].reshape(*logits.shape[:2], -1))


def roll_out(model: FrameModel, given: Array, steps: int) -> jax.Array:
    """What a model expects after frames `[T, B, S, S]`, each expected frame being read as the next one.

    Returns:
        float32 `[steps, B, S, S]`.
    """

    def observe(carry: Carry, frame: jax.Array) -> tuple[Carry, jax.Array]:
        carry, logits = model.step(carry, frame)
        return carry, jax.nn.sigmoid(logits)

    def imagine(state: tuple[Carry, jax.Array], _: None) -> tuple[tuple[Carry, jax.Array], jax.Array]:
        carry, frame = state
        return observe(carry, frame), frame

    given = jnp.asarray(given)
    carry, predictions = jax.lax.scan(observe, model.start(given.shape[1]), given)
    return jax.lax.scan(imagine, (carry, predictions[-1]), length=steps)[1]


class FrameTask(VideoTask):
    """The next frame of two digits that bounce: one frame ahead, and the second half imagined from the first."""

    axes: ClassVar = {"frames": 1}
    unit = "nats/frame"

    def __init__(self, config: FramesConfig):
        self.title, self.given = config.model.summary, config.frames // 2
        self.facts, self.digests, digits = {}, digests(KEEL), load_digits()
        self.batches = BouncingBatches(digits["training"], config.batch_size, config.fit.seed, config.frames)
        self.validation, self.held_out = (
            BouncingBatches(digits[part], count, 0, config.frames).batch(0)["frames"] for part, count in VIDEOS.items()
        )

    @staticmethod
    def build(config: FramesConfig, facts: dict[str, Any], key: jax.Array) -> FrameModel:
        return build_frame_model(config.model, SIZE, key)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        return self.batches.batch(i)

    def loss(self, model: FrameModel, batch: dict[str, Any], key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        return frame_nats(model, batch["frames"])

    def make_validate(self, rebuild: Callable[[Params], FrameModel]) -> Callable[[Params], dict[str, float]]:
        predict = in_batches(lambda params, frames: jax.nn.sigmoid(rebuild(params)(frames)))
        frames = self.validation
        return lambda params: {"validation_loss": squared_error(predict(params, frames)[1:-1], frames[2:])}

    def test(self, model: FrameModel, figures: Path) -> tuple[dict[str, Any], str]:
        params, rebuild = functional(model)
        half, frames = self.given, self.held_out
        predicted = in_batches(lambda params, xs: jax.nn.sigmoid(rebuild(params)(xs)))(params, frames)
        imagined = in_batches(lambda p, xs: roll_out(rebuild(p), xs, len(frames) - half))(params, frames[:half])
        errors = ((predicted[1:-1] - frames[2:]) ** 2).sum(axis=(0, 2, 3))
        lines = ["squared error per frame of each test video, from the best to the worst"]
        lines += [f"  video {k + 1:3d}  {errors[k] / (len(frames) - 2):7.3f}" for k in np.argsort(errors)]
        for name, k in (("best", int(errors.argmin())), ("worst", int(errors.argmax()))):
            strip = {
                "seen": frames[2:, k], "expected, one ahead": predicted[1:-1, k],
                "imagined": np.concatenate([np.zeros_like(frames[2:half, k]), imagined[:, k]]),
            }  # fmt: skip
            draw_filmstrip(strip, figures / f"{name}.png", title=f"{name} test video: {self.title}", first=3)
        write_gif(side_by_side([frames[half:, 0], imagined[:, 0]]), figures / "imagined.gif")
        copied = np.broadcast_to(frames[half - 1], frames[half:].shape)
        scores = {
            "second half imagined": squared_error(imagined, frames[half:]),
            "last frame given copied": squared_error(copied, frames[half:]),
        }
        return {
            "metric": "squared error/frame", "value": squared_error(predicted[1:-1], frames[2:]),
            "higher_is_better": False, "scores": scores,
            "baseline": {"last frame copied": squared_error(frames[1:-1], frames[2:])},
        }, "\n".join(lines) + "\n"  # fmt: skip


def go_on(model: FrameModel, file: Path, steps: int = 8) -> tuple[Path, int]:
    """Write a film beside that of a file, with so many frames more as the model expects them.

    Returns:
        Where it is, and how many frames were given.
    """
    given = read_film(file, SIZE)[:, None]
    video = np.concatenate([given, np.asarray(roll_out(model, given, steps))])[:, 0]
    out = file.with_name(file.stem + "-continued.gif")
    write_gif(video, out)
    return out, len(given)


def in_batches(run: Callable[[Params, Any], jax.Array], rows: int = 100) -> Callable[[Params, np.ndarray], np.ndarray]:
    """A compiled function over videos `[T, B, ...]`, of which it takes so many at once."""
    compiled = jax.jit(run)

    def run_all(params: Params, videos: np.ndarray) -> np.ndarray:
        starts = range(0, videos.shape[1], rows)
        return np.concatenate([np.asarray(compiled(params, videos[:, i : i + rows])) for i in starts], axis=1)

    return run_all


def squared_error(predictions: Any, targets: Any) -> float:
    """The mean over frames `[..., rows, columns]` of the summed squared error of their pixels."""
    return float(((np.asarray(predictions) - np.asarray(targets)) ** 2).sum(axis=(-2, -1)).mean())
