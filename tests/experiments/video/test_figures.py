"""Filmstrips, tracks, and videos side by side."""

import numpy as np

from experiments.video.figures import draw_filmstrip, draw_tracks, side_by_side

VIDEO = np.random.default_rng(0).random((5, 12, 12)).astype(np.float32)


def test_figures_are_drawn(tmp_path):
    draw_filmstrip({"seen": VIDEO, "expected": VIDEO[:3]}, tmp_path / "figures" / "a.png", title="a video")
    draw_tracks([VIDEO[0, :, :2], VIDEO[1, :7, :1]], ["one", "two"], tmp_path / "b.png")
    for file in ("figures/a.png", "b.png"):
        assert (tmp_path / file).stat().st_size > 5_000
    both = side_by_side([VIDEO, 1 - VIDEO])
    np.testing.assert_array_equal(both[:, :, 13:], 1 - VIDEO)
    assert (both[:, :, 12] == 0.5).all()
