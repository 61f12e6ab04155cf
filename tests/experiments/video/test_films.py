"""Animated GIFs: what is written is read again, and what is none is named."""

import numpy as np
import pytest
from PIL import Image

from experiments.video.figures import draw_filmstrip, draw_tracks, side_by_side, write_gif
from experiments.video.films import read_gif
from rnn_jax.data import DataError

VIDEO = np.random.default_rng(0).random((5, 12, 12)).astype(np.float32)


def test_what_is_written_is_read_again(tmp_path):
    write_gif(VIDEO, tmp_path / "a.gif", scale=3)
    frames = read_gif(tmp_path / "a.gif", 12)
    assert frames.shape == VIDEO.shape and frames.dtype == np.float32
    np.testing.assert_allclose(frames, VIDEO, atol=0.01)
    assert read_gif(tmp_path / "a.gif", 24).shape == (5, 24, 24)


def test_colours_become_grey_and_a_picture_is_one_frame(tmp_path):
    Image.new("RGB", (20, 10), (0, 255, 0)).save(tmp_path / "a.png")
    frames = read_gif(tmp_path / "a.png", 8)
    assert frames.shape == (1, 8, 8)
    np.testing.assert_allclose(frames, 0.587, atol=0.01)


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a, or so it says")
    with pytest.raises(DataError, match=r"a\.gif cannot be read as a GIF"):
        read_gif(tmp_path / "a.gif", 8)
    with pytest.raises(DataError, match=r"b\.gif cannot be read as a GIF: .*No such file"):
        read_gif(tmp_path / "b.gif", 8)
    write_gif(VIDEO, tmp_path / "c.gif")
    with pytest.raises(DataError, match="has more than 4 frames"):
        read_gif(tmp_path / "c.gif", 8, most=4)
    damaged = (tmp_path / "c.gif").read_bytes()
    for size in range(0, len(damaged), 97):
        (tmp_path / "d.gif").write_bytes(damaged[:size])
        try:
            assert read_gif(tmp_path / "d.gif", 12).shape[1:] == (12, 12)
        except DataError as error:
            assert "d.gif" in str(error)


def test_figures_are_drawn(tmp_path):
    draw_filmstrip({"seen": VIDEO, "expected": VIDEO[:3]}, tmp_path / "figures" / "a.png", title="a video")
    draw_tracks([VIDEO[0, :, :2], VIDEO[1, :7, :1]], ["one", "two"], tmp_path / "b.png")
    for file in ("figures/a.png", "b.png"):
        assert (tmp_path / file).stat().st_size > 5_000
    both = side_by_side([VIDEO, 1 - VIDEO])
    np.testing.assert_array_equal(both[:, :, 13:], 1 - VIDEO)
    assert (both[:, :, 12] == 0.5).all()
