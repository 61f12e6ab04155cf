"""Videos as filmstrips and animated GIFs, and tracks as drawings."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rnn_jax.analysis.figures import INK, draws, facets, new_figure, save_figure, wrapped


@draws
def draw_filmstrip(videos: Mapping[str, np.ndarray], file: Path, *, title: str, first: int = 1) -> None:
    """Draw videos below one another, frame beside frame.

    Args:
        videos: name -> `[T, rows, columns]`, from 0 (black) to 1.
        file: a .png to write.
        title: above the figure.
        first: the number of the first frame.
    """
    count = max(len(video) for video in videos.values())
    width = min(11.0, max(4.0, 1.4 + 0.62 * count))
    figure = new_figure(0.75 + 0.75 * len(videos), width=width, title=title)
    rows = figure.subplots(len(videos), count, squeeze=False)
    for row, (name, video) in zip(rows, videos.items(), strict=True):
        for axes in row:
            axes.set(xticks=[], yticks=[], frame_on=False)
        for k, frame in enumerate(video):
            row[k].imshow(frame, cmap="gray", vmin=0, vmax=1)
        row[0].set_ylabel(wrapped(name, 14), rotation=0, ha="right", va="center")
    for k, axes in enumerate(rows[-1]):
        axes.set_xlabel(first + k)
    figure.supxlabel("frame")
    save_figure(figure, file)


def write_gif(video: np.ndarray, file: Path, *, scale: int = 6, milliseconds: int = 200) -> None:
    """Write a video `[T, rows, columns]`, from 0 (black) to 1, as an animated GIF without end.

    Args:
        video: the frames.
        file: a .gif to write.
        scale: pixels of the file for one of the video, in rows and in columns.
        milliseconds: that a frame is shown.
    """
    from PIL import Image

    levels = (np.clip(video, 0, 1) * 255).astype(np.uint8).repeat(scale, axis=1).repeat(scale, axis=2)
    first, *others = [Image.fromarray(frame) for frame in levels]
    file.parent.mkdir(parents=True, exist_ok=True)
    first.save(file, save_all=True, append_images=others, duration=milliseconds, loop=0)


def side_by_side(videos: Sequence[np.ndarray]) -> np.ndarray:
    """Videos `[T, rows, columns]` as one, with a grey line between two of them."""
    line = np.full((*videos[0].shape[:2], 1), 0.5, np.float32)
    parts = [part for video in videos for part in (line, video)]
    return np.concatenate(parts[1:], axis=2)


@draws
def draw_tracks(tracks: Sequence[np.ndarray], titles: Sequence[str], file: Path) -> None:
    """Draw the first two coordinates of tracks `[t, D]`, a panel each; a dot where it begins, colours for the time."""
    figure, panels = facets(len(tracks), 1.8, columns=5, width=9.0, x="x", y="y")
    shown = None
    for axes, track, title in zip(panels, tracks, titles, strict=True):
        x, y = track[:, 0], track[:, min(1, track.shape[1] - 1)]
        axes.plot(x, y, color="#D0D0D0", linewidth=1)
        axes.plot(x[0], y[0], "o", color=INK, markersize=6)
        shown = axes.scatter(x, y, c=np.linspace(0, 1, len(track)), s=8, cmap="viridis", zorder=3)
        axes.set_title("\n".join(wrapped(line, 24) for line in title.split("\n")), fontsize=7.5)
        axes.tick_params(labelsize=7)
        axes.locator_params(nbins=4)
        axes.set_aspect("equal", adjustable="datalim")
    if shown is not None:
        figure.colorbar(shown, ax=panels, label="time; black dot: the beginning", ticks=[])
    save_figure(figure, file)
