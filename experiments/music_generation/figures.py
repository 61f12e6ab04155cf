"""Piano rolls as figures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from experiments.music_generation.midi import PITCHES, pitch_name
from rnn_jax.analysis.figures import HEAT, ORANGE, WIDTH, draws, facets, save_figure, wrapped


@draws
def draw_rolls(rolls: Mapping[str, np.ndarray], file: Path, *, steps_per_beat: int, mark: int = 0) -> None:
    """Draw rolls below one another, their pitches over time.

    Args:
        rolls: title -> `[T, 88]`, from 0 (white) to 1: pitches that sound, or their probabilities.
        file: a .png to write.
        steps_per_beat: of the axis of time.
        mark: a step before which a line is drawn, such as the end of a primer; 0 for none.
    """
    used = np.flatnonzero(np.max([roll.max(axis=0) > 0.05 for roll in rolls.values()], axis=0))
    low, high = (used[0], used[-1]) if len(used) else (0, PITCHES - 1)
    longest = max(len(roll) for roll in rolls.values())
    width = max(WIDTH, min(11.0, 2 + longest / 16))
    figure, panels = facets(len(rolls), 2.3, columns=1, width=width)
    image = None
    for axes, (title, roll) in zip(panels, rolls.items(), strict=True):
        extent = (0, len(roll) / steps_per_beat, low - 0.5, high + 0.5)
        image = axes.imshow(
            roll.T[low : high + 1], cmap=HEAT, vmin=0, vmax=1, origin="lower", aspect="auto", extent=extent
        )
        octaves = [pitch for pitch in range(low, high + 1) if pitch_name(pitch)[:-1] == "C"]
        axes.set_yticks(octaves, [pitch_name(pitch) for pitch in octaves])
        axes.set(xlabel="beats", ylabel="pitch")
        axes.set_title(wrapped(f"{title} (composed from the orange line on)" if mark else title, int(11 * width)))
        if mark:
            axes.axvline(mark / steps_per_beat, color=ORANGE, linewidth=1.5)
    if image is not None:
        figure.colorbar(image, ax=panels, label="sounds (1), or its probability")
    save_figure(figure, file)
