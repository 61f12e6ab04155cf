"""Pictures of handwriting with what a model reads of it, while it is being written."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments.common.recordings import Recording
from rnn_jax.analysis.figures import BLUE, INK, ORANGE, draws, new_figure, save_figure, wrapped

Transcribe = Callable[[Sequence[Recording]], Sequence[Sequence[str]]]
"""From drawings to the words of each."""


def truncated(drawing: Recording, points: int) -> Recording:
    """A drawing when its first `points` points were written."""
    starts = np.cumsum([0, *(len(stroke) for stroke in drawing.segments)])
    strokes = zip(drawing.segments, starts[:-1], strict=True)
    return dataclasses.replace(drawing, segments=tuple(s[: points - start] for s, start in strokes if points > start))


def wrong_and_right(
    drawings: Sequence[Recording], transcribe: Transcribe, wrong: int = 2, right: int = 3
) -> list[Recording]:
    """The first drawings that are recognised wrongly, and the first that are recognised rightly."""
    sorted_out: tuple[list[Recording], list[Recording]] = ([], [])
    for drawing, words in zip(drawings, transcribe(drawings), strict=True):
        sorted_out[tuple(words) == drawing.words].append(drawing)
    return sorted_out[0][:wrong] + sorted_out[1][:right]


@draws
def draw_growing(
    drawings: Sequence[Recording],
    transcribe: Transcribe,
    file: Path,
    title: str,
    moments: int = 4,
) -> None:
    """Draw each drawing in a row of panels, as it grows; above each what is read by then, at the end also the truth.

    Args:
        drawings: prepared (see `experiments.handwriting.strokes`), at least one; without words where not known.
        transcribe: what is recognised in them.
        file: a .png to write.
        title: above the figure.
        moments: panels in a row. They end where signs end, or, of a single sign, at parts of its points.
    """
    stages = []
    for drawing in drawings:
        ends = np.cumsum([len(stroke) for stroke in drawing.segments])
        ends = np.arange(2, ends[0] + 1) if len(ends) == 1 else ends
        stages.append(ends[np.unique(np.linspace(0, len(ends) - 1, moments + 1).round().astype(int)[1:])])
    shown = [truncated(d, int(n)) for d, ends in zip(drawings, stages, strict=True) for n in ends]
    predictions = iter(transcribe(shown))
    title = f"{title}\nblue: written by then; above: what is read by then"
    figure = new_figure(1.3 * len(drawings) + 0.8, width=max(5.0, 1.9 * moments), title=title)
    rows = figure.subplots(len(drawings), moments, squeeze=False)
    for axes, drawing, ends in zip(rows, drawings, stages, strict=True):
        low, high = drawing.signal.min(axis=0), drawing.signal.max(axis=0)
        margin = 0.1 * float((high - low).max()) + 1e-6
        for panel in axes[len(ends) :]:
            panel.axis("off")
        for panel, end in zip(axes, ends, strict=False):
            prediction = " ".join(next(predictions)) or "nothing"
            last = end == ends[-1] and bool(drawing.words)
            right = prediction == " ".join(drawing.words)
            verdict = ("\nright" if right else f"\nwrong: it is {' '.join(drawing.words)}") if last else ""
            panel.set_title(wrapped(prediction, 26) + verdict, fontsize=8, color=ORANGE if last and not right else INK)
            panel.grid(False)
            for stroke in drawing.segments:
                panel.plot(*stroke.T, "-", color="#D0D0D0", linewidth=1)
            for stroke in truncated(drawing, int(end)).segments:
                panel.plot(*stroke.T, "o-", color=BLUE, markersize=2, linewidth=1.5)
            panel.set(
                xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin), xticks=[], yticks=[]
            )
            panel.set_aspect("equal")
    save_figure(figure, file)
