"""Digits that move: along straight lines, off the walls, and as their captions say."""

import re

import numpy as np
import pytest

from experiments.video.data import NAMES, SIZE, BouncingBatches, Digits, bouncing, captioned, load_digits

BLOCK = Digits(np.ones((1, 8, 8), np.float32), np.array([3]))
RNG = np.random.default_rng(0)
DIGITS = Digits(RNG.uniform(0.1, 1, (10, 8, 8)).astype(np.float32), np.arange(10))


def corner(frame: np.ndarray) -> tuple[int, int]:
    """The first row and column of a frame that are lit; everything lit is one block of 8 x 8."""
    rows, columns = np.flatnonzero(frame.any(axis=1)), np.flatnonzero(frame.any(axis=0))
    assert len(rows) == len(columns) == 8 and np.ptp(rows) == np.ptp(columns) == 7
    return int(rows[0]), int(columns[0])


def test_one_digit_keeps_its_speed_between_the_walls():
    for seed in range(10):
        video = bouncing(BLOCK, np.random.default_rng(seed), 40, count=1)
        assert video.shape == (40, SIZE, SIZE) and video.dtype == np.float32
        for axis in np.array([corner(frame) for frame in video]).T:
            ways = np.diff(axis)
            speed = np.abs(ways).max()
            assert speed in (1, 2) and axis.min() <= 1 and axis.max() >= 15
            period = 32 // speed  # there and back
            np.testing.assert_array_equal(axis[period:], axis[:-period])
            for before, after, place in zip(ways, ways[1:], axis[1:-1], strict=False):
                assert before == after or place <= 1 or place >= 15, "it turned away from a wall"


def test_where_digits_meet_the_brighter_pixel_is_seen():
    dim = Digits(np.full((1, 8, 8), 0.5, np.float32), np.array([0]))
    values = {float(v) for seed in range(5) for v in np.unique(bouncing(dim, np.random.default_rng(seed), 20))}
    assert values == {0.0, 0.5}


DIRECTIONS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def test_what_is_said_is_what_happens():
    said_directions = set()
    rng = np.random.default_rng(1)
    for _ in range(60):
        video, said = captioned(DIGITS, rng)
        parts = said.split(", then ")
        assert video.shape == (8 * len(parts), SIZE, SIZE)
        for part, passage in zip(parts, np.split(video, len(parts)), strict=True):
            article, name, direction = re.fullmatch(r"(an?) (\w+) moves (.+)", part).groups()
            assert (article == "an") == (name == "eight")
            way = sum(np.array(DIRECTIONS[word]) for word in direction.split(" and "))
            corners = np.array([corner(frame) for frame in passage])
            steps = np.diff(corners, axis=0)
            speed = np.abs(steps).max()
            assert speed in (1, 2) and (steps == speed * way).all()
            (row, column), image = corners[0], DIGITS.images[NAMES.index(name)]
            np.testing.assert_array_equal(passage[0][row : row + 8, column : column + 8], image)
            said_directions.add(direction)
    assert len(said_directions) == 8 and "up and left" in said_directions


def test_a_batch_is_a_pure_function_of_its_number():
    batches = [BouncingBatches(DIGITS, 3, seed, 6) for seed in (0, 0, 1)]
    first, again, other = (b.batch(5)["frames"] for b in batches)
    assert first.shape == (6, 3, SIZE, SIZE)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and (first != batches[0].batch(6)["frames"]).any()
    assert len({first[:, b].tobytes() for b in range(3)}) == 3


@pytest.mark.usefixtures("real_data")
def test_the_digits_of_the_test_are_the_official_ones():
    parts = load_digits()
    assert [len(part.images) for part in parts.values()] == [3441, 382, 1797]
    for images, labels in parts.values():
        assert images.dtype == np.float32 and images.min() == 0 and images.max() == 1 and set(labels) == set(range(10))
    assert parts["training"].labels[:5].tolist() == [0, 0, 7, 4, 6]
