"""Videos of real handwritten digits that move: drawn as they are needed, each a pure function of its number; own films.

The digits are those of UCI's optical recognition set, 8 x 8 pixels; those of the test were written by other people.
"""

import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.common.keel import load_keel
from experiments.common.pictures import SUFFIXES, to_grey
from rnn_jax.data.download import DataError

SIZE = 24
"""Rows and columns of a frame."""
SIDE = 8
"""Rows and columns of a digit."""
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PASSAGE = 8
"""Frames that a digit of a captioned video is seen in."""
MOST_PASSAGES = 3
FILMS = (".mp4", ".webm", ".mov", ".avi", ".mkv", ".m4v", *SUFFIXES)
"""How the names of films end, in folders."""
VIDEOS = {"validation": 200, "test": 1000}
"""Of each part, drawn in this order; they are the same in every run."""


class Digits(NamedTuple):
    """Images of digits."""

    images: np.ndarray
    """float32 `[N, 8, 8]`, from 0 to 1."""
    labels: np.ndarray
    """int `[N]`."""


def load_digits() -> dict[str, Digits]:
    """The parts training (3,441), validation (382, the last of the first 3,823) and test (1,797).

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    table = load_keel("optdigits")
    images, labels = table.values.reshape(-1, SIDE, SIDE) / 16, np.array([int(label) for label in table.labels])
    cuts = {"training": np.s_[:3441], "validation": np.s_[3441:3823], "test": np.s_[3823:]}
    return {part: Digits(images[cut].astype(np.float32), labels[cut]) for part, cut in cuts.items()}


def bouncing_video(digits: Digits, rng: np.random.Generator, frames: int, count: int = 2) -> np.ndarray:
    """Digits that move by 1 or 2 pixels a frame in each direction, and bounce off the walls: float32 `[T, 24, 24]`.

    Where digits meet, the brighter pixel is seen.
    """
    room = SIZE - SIDE
    video = np.zeros((frames, SIZE, SIZE), np.float32)
    for image in digits.images[rng.integers(len(digits.images), size=count)]:
        speed = rng.choice([-2, -1, 1, 2], size=2)
        corners = rng.integers(room + 1, size=2) + speed * np.arange(frames)[:, None]
        corners = room - np.abs(corners % (2 * room) - room)  # a walk on a line, folded at the walls
        for frame, (row, column) in zip(video, corners, strict=True):
            spot = frame[row : row + SIDE, column : column + SIDE]
            np.maximum(spot, image, out=spot)
    return video


def captioned_video(digits: Digits, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """One to three digits, one after the other, each moving in one of eight directions for eight frames.

    Returns:
        float32 `[8 n, 24, 24]`, and what happens: "a three moves up and left, then an eight moves right".
    """
    passages, captions = [], []
    for _ in range(rng.integers(1, MOST_PASSAGES + 1)):
        k, speed = int(rng.integers(len(digits.images))), int(rng.integers(1, 3))
        down, right = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)][rng.integers(8)]
        distance = (PASSAGE - 1) * speed
        rows, columns = (_straight(rng, sign * speed, distance if sign else 0) for sign in (down, right))
        video = np.zeros((PASSAGE, SIZE, SIZE), np.float32)
        for frame, row, column in zip(video, rows, columns, strict=True):
            frame[row : row + SIDE, column : column + SIDE] = digits.images[k]
        passages.append(video)
        vertical, horizontal = ("", "down", "up")[down], ("", "right", "left")[right]
        name = NAMES[digits.labels[k]]
        direction = f"{vertical} and {horizontal}" if vertical and horizontal else vertical or horizontal
        captions.append(f"{'an' if name == 'eight' else 'a'} {name} moves {direction}")
    return np.concatenate(passages), ", then ".join(captions)


def _straight(rng: np.random.Generator, speed: int, distance: int) -> np.ndarray:
    """Where a digit is in each frame of its passage along one axis, so that it stays inside."""
    first = rng.integers(SIZE - SIDE - distance + 1)
    return first + (distance if speed < 0 else 0) + speed * np.arange(PASSAGE)


@dataclasses.dataclass(frozen=True, eq=False)
class BouncingBatches:
    """Endless batches of `bouncing_video`s, batch i a pure function of (seed, i).

    Attributes:
        digits: to draw from.
        batch_size: B.
        seed: non-negative.
        frames: T.
        count: digits in a video.
    """

    digits: Digits
    batch_size: int
    seed: int
    frames: int
    count: int = 2

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """`{"frames": float32 [T, B, 24, 24]}`."""
        rng = np.random.default_rng([self.seed, i])
        videos = [bouncing_video(self.digits, rng, self.frames, self.count) for _ in range(self.batch_size)]
        return {"frames": np.stack(videos, axis=1)}


def read_film(path: str | Path, size: int, most: int = 1000) -> np.ndarray:
    """The frames of a film (.gif, .mp4, .webm, ...) or of a picture in grey: float32 `[T, size, size]`, from 0 to 1.

    Args:
        path: of the file.
        size: rows and columns that frames are resized to; sides of a frame that are not equal become so.
        most: frames that are read at most.

    Raises:
        DataError: it cannot be read, or has more frames.
    """
    from PIL import Image

    frames = []
    try:
        with warnings.catch_warnings():
            # ffmpeg is started by a fork, of which JAX warns; nothing runs in the new process but ffmpeg.
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            for frame in _frames_of(Path(path)):
                if len(frames) == most:
                    raise DataError(f"{path} has more than {most} frames: cut it")
                frames.append(np.asarray(frame.resize((size, size), Image.Resampling.BOX), np.float32) / 255)
    except DataError:
        raise
    except Exception as error:  # readers raise whatever they meet in a file of wrong bytes
        raise DataError(f"{path} cannot be read as a film: {error}") from error
    if not frames:
        raise DataError(f"{path} cannot be read as a film: it has no frames")
    return np.stack(frames)


def _frames_of(path: Path) -> Iterator[Any]:
    """Grey frames, as Pillow has them: of GIFs and pictures by Pillow, of other films by imageio and its ffmpeg."""
    from PIL import Image, ImageSequence

    with path.open("rb") as file:
        begin = file.read(6)
    if begin in (b"GIF87a", b"GIF89a") or path.suffix.lower() in SUFFIXES:
        with Image.open(path) as image:
            for frame in ImageSequence.Iterator(image):
                yield to_grey(frame)
        return
    import imageio.v3

    for frame in imageio.v3.imiter(path, plugin="FFMPEG"):
        yield to_grey(Image.fromarray(frame))
