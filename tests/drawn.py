"""What a reader must find in every figure: no two words over each other, none cut off, no point that is not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text


@contextmanager
def checked_figures() -> Iterator[list[Any]]:
    """While this lasts, every figure is looked at in the place of being saved; gives the list of them."""
    found: list[Any] = []
    save = Figure.savefig

    def check(figure: Any, *arguments: Any, **options: Any) -> None:
        found.append(figure)
        assert not (wrong := faults(figure)), "\n".join(wrong)

    Figure.savefig = check
    try:
        yield found
    finally:
        Figure.savefig = save


def faults(figure: Any) -> list[str]:
    """What is wrong with a figure, a line each."""
    figure.draw_without_rendering()
    whole = figure.bbox
    words = [(text.get_text(), Text.get_window_extent(text)) for text in _words(figure)]
    said = [
        f"{text!r} leaves the figure"
        for text, box in words
        if box.x0 < whole.x0 - 1 or box.y0 < whole.y0 - 1 or box.x1 > whole.x1 + 1 or box.y1 > whole.y1 + 1
    ]
    for i, (text, box) in enumerate(words):
        for other, second in words[:i]:
            if min(box.x1, second.x1) - max(box.x0, second.x0) > 1 < min(box.y1, second.y1) - max(box.y0, second.y0):
                said.append(f"{text!r} lies over {other!r}")
    said += [f"the point of {line.get_label()!r} is not seen" for line in _lines(figure) if not _is_seen(line)]
    return said + [f"no words at the {name} axis" for axes in figure.axes for name in _unnamed(axes)]


def _words(figure: Any) -> list[Text]:
    """All that is written; ticks outside of the limits are not drawn."""
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        drawn = {id(tick) for tick in axis._update_ticks()} if axis.axes.axison else set()
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if id(tick) not in drawn:
                hidden |= {tick.label1, tick.label2}
        if not axis.axes.axison:
            hidden |= set(axis.findobj(Text))
    return [text for text in figure.findobj(Text) if text not in hidden and text.get_visible() and text.get_text()]


def _lines(figure: Any) -> list[Line2D]:
    return [line for axes in figure.axes for line in axes.lines if line.get_transform() == axes.transData]


def _is_seen(line: Line2D) -> bool:
    """Whether it has a marker, or no point without a neighbour."""
    known = np.isfinite(np.asarray(line.get_ydata(orig=False), float))
    padded = np.concatenate([[False], known, [False]])
    return line.get_marker() not in ("", "None", None) or not np.any(known & ~padded[:-2] & ~padded[2:])


def _unnamed(axes: Any) -> list[str]:
    """Axes with numbers and nowhere a word for them: neither beside them nor at another panel nor for all panels."""
    figure, names, spec = axes.figure, [], axes.get_subplotspec()
    if not axes.axison or axes.get_label() == "<colorbar>":
        return names
    panels = [one for one in figure.axes if spec and one.get_subplotspec() and _grid(one) is _grid(axes)] or [axes]
    for name, whole in (("x", figure._supxlabel), ("y", figure._supylabel)):
        named = whole or any(getattr(one, f"{name}axis").label.get_text() for one in panels)
        shown = [tick.label1.get_text() for tick in getattr(axes, f"{name}axis").get_major_ticks()]
        titled = name == "y" and axes.get_title(loc="left")
        if not named and not titled and any(text and not text.strip("−-.0123456789") for text in shown):
            names.append(name)
    return names


def _grid(axes: Any) -> Any:
    return axes.get_subplotspec().get_gridspec()
