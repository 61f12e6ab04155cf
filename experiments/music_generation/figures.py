"""Piano rolls as figures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from experiments.music_generation.midi import PITCHES, pitch_name
from rnn_jax.analysis.figures import draws, save_figure


@draws
def draw_rolls(rolls: Mapping[str, np.ndarray], file: Path, *, steps_per_beat: int, mark: int = 0) -> None:
    """Draw rolls below one another, their pitches over time.

    Args:
        rolls: title -> `[T, 88]`, from 0 (white) to 1: pitches that sound, or their probabilities.
        file: a .png to write.
        steps_per_beat: of the axis of time.
        mark: a step before which a line is drawn, such as the end of a primer; 0 for none.
    """
    from matplotlib.figure import Figure

    used = np.flatnonzero(np.max([roll.max(axis=0) > 0.05 for roll in rolls.values()], axis=0))
    low, high = (used[0], used[-1]) if len(used) else (0, PITCHES - 1)
    longest = max(len(roll) for roll in rolls.values())
    figure = Figure(figsize=(min(16, 3 + longest / 14), 0.8 + 2.8 * len(rolls)), layout="constrained")
    panels = figure.subplots(len(rolls), 1, squeeze=False)[:, 0]
    image = None
    for axes, (title, roll) in zip(panels, rolls.items(), strict=True):
        extent = (0, len(roll) / steps_per_beat, low - 0.5, high + 0.5)
        image = axes.imshow(
            roll.T[low : high + 1], cmap="Blues", vmin=0, vmax=1, origin="lower", aspect="auto", extent=extent
        )
        octaves = [pitch for pitch in range(low, high + 1) if pitch_name(pitch)[:-1] == "C"]
        axes.set_yticks(octaves, [pitch_name(pitch) for pitch in octaves])
        axes.set(title=title, xlabel="beats", ylabel="pitch")
        if mark:
            axes.axvline(mark / steps_per_beat, color="C1", linewidth=1)
    if image is not None:
        figure.colorbar(image, ax=list(panels), label="sounds (1), or its probability")
    save_figure(figure, file)
