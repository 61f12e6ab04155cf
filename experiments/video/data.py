"""Videos of real handwritten digits that move: generated as they are needed, each a pure function of its number.

The digits are those of UCI's optical recognition set, 8 x 8 pixels; those of the test were written by other people.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from experiments.common.keel import load_keel

SIZE = 24
"""Rows and columns of a frame."""
SIDE = 8
"""Rows and columns of a digit."""
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PASSAGE = 8
"""Frames that a digit of a captioned video is seen in."""
MOST_PASSAGES = 3
FRAME_AXES: dict[str, int | None] = {"frames": 1}


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


def bouncing(digits: Digits, rng: np.random.Generator, frames: int, count: int = 2) -> np.ndarray:
    """Digits that move by 1 or 2 pixels a frame in each direction, and bounce off the walls: float32 `[T, 24, 24]`.

    Where digits meet, the brighter pixel is seen.
    """
    room = SIZE - SIDE
    video = np.zeros((frames, SIZE, SIZE), np.float32)
    for image in digits.images[rng.integers(len(digits.images), size=count)]:
        speed = rng.choice([-2, -1, 1, 2], size=2)
        places = rng.integers(room + 1, size=2) + speed * np.arange(frames)[:, None]
        places = room - np.abs(places % (2 * room) - room)  # a walk on a line, folded at the walls
        for frame, (row, column) in zip(video, places, strict=True):
            spot = frame[row : row + SIDE, column : column + SIDE]
            np.maximum(spot, image, out=spot)
    return video


def captioned(digits: Digits, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """One to three digits, one after the other, each moving in one of eight directions for eight frames.

    Returns:
        float32 `[8 n, 24, 24]`, and what happens: "a three moves up and left, then an eight moves right".
    """
    passages, said = [], []
    for _ in range(rng.integers(1, MOST_PASSAGES + 1)):
        k, speed = int(rng.integers(len(digits.images))), int(rng.integers(1, 3))
        down, right = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)][rng.integers(8)]
        way = (PASSAGE - 1) * speed
        rows, columns = (_straight(rng, sign * speed, way if sign else 0) for sign in (down, right))
        video = np.zeros((PASSAGE, SIZE, SIZE), np.float32)
        for frame, row, column in zip(video, rows, columns, strict=True):
            frame[row : row + SIDE, column : column + SIDE] = digits.images[k]
        passages.append(video)
        vertical, horizontal = ("", "down", "up")[down], ("", "right", "left")[right]
        name = NAMES[digits.labels[k]]
        direction = f"{vertical} and {horizontal}" if vertical and horizontal else vertical or horizontal
        said.append(f"{'an' if name == 'eight' else 'a'} {name} moves {direction}")
    return np.concatenate(passages), ", then ".join(said)


def _straight(rng: np.random.Generator, speed: int, way: int) -> np.ndarray:
    """Where a digit is in each frame of its passage along one axis, so that it stays inside."""
    first = rng.integers(SIZE - SIDE - way + 1)
    return first + (way if speed < 0 else 0) + speed * np.arange(PASSAGE)


@dataclasses.dataclass(frozen=True, eq=False)
class BouncingBatches:
    """Endless batches of `bouncing` videos, batch i a pure function of (seed, i).

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
        videos = [bouncing(self.digits, rng, self.frames, self.count) for _ in range(self.batch_size)]
        return {"frames": np.stack(videos, axis=1)}
