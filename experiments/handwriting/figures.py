"""Pictures of handwriting with what a model reads of it, while it is being written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments.common.speech_data import Recording


def begun(drawing: Recording, points: int) -> Recording:
    """A drawing when its first `points` points were written."""
    starts = np.cumsum([0, *(len(stroke) for stroke in drawing.waves)])
    waves = tuple(w[: points - start] for w, start in zip(drawing.waves, starts[:-1], strict=True) if points > start)
    return Recording(waves, drawing.words, drawing.speaker, drawing.name)


Read = Callable[[Sequence[Recording]], Sequence[Sequence[str]]]
"""From drawings to the words of each."""


def telling(drawings: Sequence[Recording], read: Read, wrong: int = 2, right: int = 3) -> list[Recording]:
    """The first drawings that are read wrongly, and the first that are read rightly."""
    ranked: tuple[list[Recording], list[Recording]] = ([], [])
    for drawing, words in zip(drawings, read(drawings), strict=True):
        ranked[tuple(words) == drawing.words].append(drawing)
    return ranked[0][:wrong] + ranked[1][:right]


def draw_reading(
    drawings: Sequence[Recording],
    read: Read,
    file: Path,
    title: str,
    moments: int = 4,
) -> None:
    """Draw each drawing in a row of panels, as it grows; above each what is read by then, at the end also the truth.

    Args:
        drawings: prepared (see `experiments.common.ink.prepare_drawing`), at least one; without words where not known.
        read: what is read in them.
        file: a .png to write.
        title: above the figure.
        moments: panels in a row. They end where signs end, or, of a single sign, at parts of its points.
    """
    from matplotlib.figure import Figure

    stages = []
    for drawing in drawings:
        ends = np.cumsum([len(stroke) for stroke in drawing.waves])
        ends = np.arange(2, ends[0] + 1) if len(ends) == 1 else ends
        stages.append(ends[np.unique(np.linspace(0, len(ends) - 1, moments + 1).round().astype(int)[1:])])
    texts = iter(read([begun(d, int(n)) for d, ends in zip(drawings, stages, strict=True) for n in ends]))
    figure = Figure(figsize=(2.2 * moments, 1.5 * len(drawings) + 0.6), layout="constrained")
    figure.suptitle(f"{title}\nblue: written by then; above: what is read by then", fontsize="medium")
    rows = figure.subplots(len(drawings), moments, squeeze=False)
    for axes, drawing, ends in zip(rows, drawings, stages, strict=True):
        low, high = drawing.wave.min(axis=0), drawing.wave.max(axis=0)
        margin = 0.1 * float((high - low).max()) + 1e-6
        for panel in axes[len(ends) :]:
            panel.axis("off")
        for panel, end in zip(axes, ends, strict=False):
            seen = " ".join(next(texts)) or "nothing"
            last = end == ends[-1] and bool(drawing.words)
            right = seen == " ".join(drawing.words)
            label = f"{seen}  ({'right' if right else 'it is ' + ' '.join(drawing.words)})" if last else seen
            panel.set_title(label, fontsize="small", color="firebrick" if last and not right else "black")
            for stroke in drawing.waves:
                panel.plot(*stroke.T, color="lightgrey", linewidth=1)
            for stroke in begun(drawing, int(end)).waves:
                panel.plot(*stroke.T, "o-", color="C0", markersize=2, linewidth=1.5)
            panel.set(
                xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin), xticks=[], yticks=[]
            )
            panel.set_aspect("equal")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
