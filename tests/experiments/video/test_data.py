"""Digits that move: along straight lines, off the walls, and as their captions say; and GIFs."""

import gc
import re

import numpy as np
import pytest
from PIL import Image

from experiments.video.data import (
    NAMES,
    SIZE,
    BouncingBatches,
    Digits,
    bouncing_video,
    captioned_video,
    load_digits,
    read_film,
)
from experiments.video.figures import write_gif
from rnn_jax.data import DataError

BLOCK = Digits(np.ones((1, 8, 8), np.float32), np.array([3]))
RNG = np.random.default_rng(0)
DIGITS = Digits(RNG.uniform(0.1, 1, (10, 8, 8)).astype(np.float32), np.arange(10))
VIDEO = np.random.default_rng(0).random((5, 12, 12)).astype(np.float32)


def corner(frame: np.ndarray) -> tuple[int, int]:
    """The first row and column of a frame that are lit; everything lit is one block of 8 x 8."""
    rows, columns = np.flatnonzero(frame.any(axis=1)), np.flatnonzero(frame.any(axis=0))
    assert len(rows) == len(columns) == 8 and np.ptp(rows) == np.ptp(columns) == 7
    return int(rows[0]), int(columns[0])


def test_one_digit_keeps_its_speed_between_the_walls():
    for seed in range(10):
        video = bouncing_video(BLOCK, np.random.default_rng(seed), 40, count=1)
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
    values = {float(v) for seed in range(5) for v in np.unique(bouncing_video(dim, np.random.default_rng(seed), 20))}
    assert values == {0.0, 0.5}


DIRECTIONS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def test_a_caption_tells_what_happens():
    directions = set()
    rng = np.random.default_rng(1)
    for _ in range(60):
        video, caption = captioned_video(DIGITS, rng)
        parts = caption.split(", then ")
        assert video.shape == (8 * len(parts), SIZE, SIZE)
        for part, passage in zip(parts, np.split(video, len(parts)), strict=True):
            article, name, direction = re.fullmatch(r"(an?) (\w+) moves (.+)", part).groups()
            assert (article == "an") == (name == "eight")
            step = sum(np.array(DIRECTIONS[word]) for word in direction.split(" and "))
            corners = np.array([corner(frame) for frame in passage])
            steps = np.diff(corners, axis=0)
            speed = np.abs(steps).max()
            assert speed in (1, 2) and (steps == speed * step).all()
            (row, column), image = corners[0], DIGITS.images[NAMES.index(name)]
            np.testing.assert_array_equal(passage[0][row : row + 8, column : column + 8], image)
            directions.add(direction)
    assert len(directions) == 8 and "up and left" in directions


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


def test_what_is_written_is_read_again(tmp_path):
    write_gif(VIDEO, tmp_path / "a.gif", scale=3)
    frames = read_film(tmp_path / "a.gif", 12)
    assert frames.shape == VIDEO.shape and frames.dtype == np.float32
    np.testing.assert_allclose(frames, VIDEO, atol=0.01)
    assert read_film(tmp_path / "a.gif", 24).shape == (5, 24, 24)


def test_colours_become_grey_and_a_picture_is_one_frame(tmp_path):
    Image.new("RGB", (20, 10), (0, 255, 0)).save(tmp_path / "a.png")
    frames = read_film(tmp_path / "a.png", 8)
    assert frames.shape == (1, 8, 8)
    np.testing.assert_allclose(frames, 0.587, atol=0.01)


# imageio's writer and a reader that fails leave pipes to ffmpeg open until they are collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:os.fork")
def test_other_films_are_read_by_ffmpeg(tmp_path):
    import imageio.v3

    steps = np.zeros((6, 32, 48, 3), np.uint8)
    for t, frame in enumerate(steps):
        frame[:, : 8 * (t + 1)] = 255
    imageio.v3.imwrite(tmp_path / "a.mp4", steps, fps=6)
    frames = read_film(tmp_path / "a.mp4", 12)
    assert frames.shape == (6, 12, 12)
    np.testing.assert_allclose(frames.mean(axis=(1, 2)), np.arange(1, 7) / 6, atol=0.04)
    with pytest.raises(DataError, match="more than 5 frames"):
        read_film(tmp_path / "a.mp4", 12, most=5)
    (tmp_path / "b.mp4").write_text("no film")
    with pytest.raises(DataError, match=r"b\.mp4 cannot be read as a film"):
        read_film(tmp_path / "b.mp4", 12)
    gc.collect()


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a, or so it says")
    with pytest.raises(DataError, match=r"a\.gif cannot be read as a film"):
        read_film(tmp_path / "a.gif", 8)
    with pytest.raises(DataError, match=r"b\.gif cannot be read as a film: .*No such file"):
        read_film(tmp_path / "b.gif", 8)
    write_gif(VIDEO, tmp_path / "c.gif")
    with pytest.raises(DataError, match="has more than 4 frames"):
        read_film(tmp_path / "c.gif", 8, most=4)
    damaged = (tmp_path / "c.gif").read_bytes()
    for size in range(0, len(damaged), 97):
        (tmp_path / "d.gif").write_bytes(damaged[:size])
        try:
            assert read_film(tmp_path / "d.gif", 12).shape[1:] == (12, 12)
        except DataError as error:
            assert "d.gif" in str(error)
