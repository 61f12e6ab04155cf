"""The one style of all figures: sizes, colours, fonts, grids, labels at the lines; and no result depends on a figure.

A function that draws is marked by `draws`, begins with `new_figure` or `facets` and ends with `save_figure`:

    @draws
    def draw_errors(errors, file, title):
        figure = new_figure(3.2, title=title)
        axes = figure.subplots()
        for name, values in errors.items():
            axes.plot(range(1, len(values) + 1), values, label=name)
        axes.set(xlabel="steps ahead", ylabel="mean absolute error, °F")
        label_lines(axes)
        save_figure(figure, file)

matplotlib comes with the extra `experiments` and is imported when a figure is drawn.
"""

import functools
import textwrap
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np

from rnn_jax.extras import optional_imports

Arguments = ParamSpec("Arguments")

WIDTH = 7.2
"""Inches of a figure that is read at 700 pixels, where letters of 9 points are 12 pixels high."""
DPI = 130

BLUE, ORANGE, GREEN, PINK, AMBER, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLOURS = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY)
"""C0 to C5: what readers of every colour vision tell apart (Okabe & Ito 2008); then again, dashed and dotted."""
GREY, INK = "#8C8C8C", "#262626"
"""Of what is there for comparison, and of what was observed."""
HEAT, SIGNED = "Blues", "RdBu_r"
"""Colour maps of what begins at zero, and of what goes to both sides of it: blue below, red above."""

STYLE: dict[str, Any] = {
    "axes.axisbelow": True, "axes.edgecolor": GREY, "axes.grid": True, "axes.labelcolor": INK, "axes.labelsize": 9,
    "axes.linewidth": 0.8, "axes.spines.right": False, "axes.spines.top": False, "axes.titlesize": 9.5,
    "date.converter": "concise", "figure.labelsize": 9, "figure.titlesize": 10.5, "font.family": "DejaVu Sans",
    "font.size": 9, "grid.color": "#E8E8E8", "grid.linewidth": 0.7, "image.cmap": "viridis",
    "image.interpolation": "none", "legend.fontsize": 8, "legend.frameon": False, "lines.linewidth": 1.4,
    "lines.markersize": 4.5, "patch.linewidth": 0, "text.color": INK, "xtick.color": GREY, "xtick.labelcolor": INK,
    "xtick.labelsize": 8, "ytick.color": GREY, "ytick.labelcolor": INK, "ytick.labelsize": 8,
}  # fmt: skip

SIZES = [name for name in STYLE if name.endswith(("size", "titlesize")) and name != "lines.markersize"]


def style() -> dict[str, Any]:
    """The style as settings of matplotlib, for `matplotlib.rc_context(style())`, in a notebook too."""
    with optional_imports():
        from matplotlib.rcsetup import cycler

    return STYLE | {"axes.prop_cycle": cycler(linestyle=["-", "--", ":"]) * cycler(color=COLOURS)}


def draws(draw: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Marks a function that draws, in the style; a figure that fails is a warning: what it shows has been computed."""

    @functools.wraps(draw)
    def drawn(*positional: Arguments.args, **named: Arguments.kwargs) -> None:
        try:
            with optional_imports():
                from matplotlib import rc_context

            with rc_context(style()):
                draw(*positional, **named)
        except Exception as error:
            what = next((str(one) for one in (*positional, *named.values()) if isinstance(one, Path)), draw.__name__)
            warnings.warn(f"no figure {what}: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=2)

    return drawn


def new_figure(height: int | float, width: int | float = WIDTH, title: str = "") -> Any:
    """A figure of so many inches; its title is broken into lines that fit, letters of a wider one are larger."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    larger = max(1.0, width / WIDTH)  # both are shown equally wide
    if larger > 1:
        rcParams.update({name: larger * STYLE[name] for name in SIZES})
    figure = Figure(figsize=(width, height), layout="constrained")
    if title:
        figure.suptitle(wrapped(title, int(11 * width / larger)))
    return figure


def facets(
    count: int,
    height: int | float,
    *,
    columns: int = 3,
    width: int | float = WIDTH,
    title: str = "",
    x: str = "",
    y: str = "",
    **shared: Any,
) -> tuple[Any, list[Any]]:
    """A figure of panels in rows.

    Args:
        count: of panels.
        height: of each, in inches.
        columns: panels in a row, at most.
        width: of the figure, in inches.
        title: above all.
        x: what the axis below the last panel of each column says.
        y: what the axis at the first panel of each row says.
        shared: `sharex`, `sharey` and whatever else `Figure.subplots` knows.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(height * rows + 0.5, width, title)
    panels = figure.subplots(rows, columns, squeeze=False, **shared).ravel()
    for i, axes in enumerate(panels):
        if i >= count:
            axes.set_axis_off()
        elif i + columns >= count:
            axes.tick_params(axis="x", labelbottom=True)  # also where the panel below it is none
            axes.set_xlabel(x)
        if i % columns == 0:
            axes.set_ylabel(wrapped(y, max(12, int(14 * height))))
    return figure, list(panels[:count])


def wrapped(text: str, width: int) -> str:
    """A text in lines of so many letters at most; a word that is longer than one, such as a name, is broken."""
    return "\n".join(textwrap.fill(line, width) for line in text.split("\n"))


def label_lines(axes: Any, width: int = 22) -> None:
    """Write the label of each line at its right end, in its colour, none over another: the last thing before saving.

    Args:
        axes: with lines that have labels; those without have none.
        width: letters of a line of a label, at most.
    """
    lines = [(line, end) for line in axes.lines if (end := _end(line, axes)) and not line.get_label().startswith("_")]
    if not lines:
        return
    figure, size = axes.figure, 8.0
    _with_room(figure, figure.draw_without_rendering)  # how much of the axes a letter takes is known then
    points = axes.get_window_extent().height * 72 / figure.dpi
    texts = [wrapped(line.get_label(), width) for line, _ in lines]
    heights = [1.3 * size * (1 + text.count("\n")) / points for text in texts]
    if sum(heights) > 1.1:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = [to_axes.transform(end) for _, end in lines]
    places = _spread([float(end[1]) for end in ends], heights)
    for (line, _), end, text, place in zip(lines, ends, texts, places, strict=True):
        axes.annotate(
            text, xy=(min(end[0], 1.0), end[1]), xytext=(1.04, place), xycoords="axes fraction", va="center",
            fontsize=size, color=_darker(line.get_color()), annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.7, "shrinkA": 0, "shrinkB": 1,
                        "relpos": (0, 0.5)},
        )  # fmt: skip


def draw_band(
    axes: Any, xs: Any, low: Any, high: Any, color: str = BLUE, label: str | None = None, alpha: float = 0.2
) -> None:
    """An interval along a line, also where there is one point alone."""
    xs, low, high = np.asarray(xs), np.asarray(low, float), np.asarray(high, float)
    axes.fill_between(xs, low, high, color=color, alpha=alpha, linewidth=0, label=label)
    alone = _lone(np.isfinite(low) & np.isfinite(high))
    if len(alone):
        axes.vlines(xs[alone], low[alone], high[alone], color=color, alpha=2 * alpha, linewidth=3)


def date_axis(axes: Any, times: Any, ticks: int = 4) -> None:
    """At most so many dates on the axis of time, none over another; nothing where the times are numbers."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if np.issubdtype(np.asarray(times).dtype, np.datetime64):
        locator = AutoDateLocator(minticks=2, maxticks=ticks)
        axes.xaxis.set(major_locator=locator, major_formatter=ConciseDateFormatter(locator))


def step_ticks(axes: Any, steps: Sequence[str]) -> None:
    """A short text at each step of an axis: letters upright, words turned, all of them where they fit."""
    if steps:
        turned = max(map(len, steps)) > 1
        every = -(-len(steps) // (60 if turned else 110))
        axes.set_xticks(range(0, len(steps), every), steps[::every], fontsize=6.5, rotation=90 if turned else 0)


def panel_width(steps: int) -> float:
    """Inches of a figure over so many steps, each of which has room for a letter."""
    return max(WIDTH, min(12.0, 1.5 + 0.1 * steps))


def save_figure(figure: Any, file: Path, dpi: int = DPI) -> None:
    """Write a figure of matplotlib and make its folder.

    A name such as `$x$y` is no formula, as ticks of 10² are; a line of one point gets a marker; pictures have no grid.
    """
    for axes in figure.axes:
        if axes.images:
            axes.grid(False)
        _count_in_whole_numbers(axes)
        for line in axes.lines:
            _mark_lone_points(line, axes)
    file.parent.mkdir(parents=True, exist_ok=True)
    same = {"Software": None} if file.suffix == ".png" else {}  # bytes that no version of matplotlib changes
    _with_room(figure, lambda: figure.savefig(file, dpi=dpi, metadata=same))


def _with_room(figure: Any, lay_out: Callable[[], object]) -> None:
    """Lay a figure out; it grows until texts of any length leave room for what is drawn."""
    _take_names_as_they_are(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout not applied")
        for _ in range(12):
            try:
                lay_out()
                return
            except UserWarning as warning:
                if "constrained_layout" not in str(warning):
                    raise
                figure.set_figheight(1.4 * figure.get_figheight())
    lay_out()


def _take_names_as_they_are(figure: Any) -> None:
    """No formula is read from a text that somebody chose, as opposed to ticks such as 10²."""
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    formulas = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if not isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter):
                formulas |= set(axis.findobj(Text)) - {axis.label}
    for text in set(figure.findobj(Text)) - formulas:
        text.set_parse_math(False)


def _count_in_whole_numbers(axes: Any) -> None:
    """Ticks at whole numbers where all lines have such, as steps and updates are."""
    from matplotlib.ticker import AutoLocator

    places = [np.asarray(line.get_xdata(orig=False), float) for line in axes.lines if _is_of(line, axes)]
    if places and isinstance(locator := axes.xaxis.get_major_locator(), AutoLocator):
        whole = all(np.all(np.isfinite(xs)) and np.all(xs == np.round(xs)) for xs in places)
        locator.set_params(integer=whole)


def _is_of(line: Any, axes: Any) -> bool:
    """Whether a line goes through points of the data, as that of axhline does not."""
    return bool(line.get_transform() == axes.transData)


def _mark_lone_points(line: Any, axes: Any) -> None:
    """A marker for each point that has no neighbour to draw a line to."""
    if line.get_marker() in ("None", "", None) and _is_of(line, axes):
        alone = _lone(_shown(line, axes))
        if len(alone):
            line.set(marker="o", markevery=alone.tolist())


def _lone(known: np.ndarray) -> np.ndarray:
    """Places of true values with no true value beside them."""
    padded = np.concatenate([[False], known, [False]])
    return np.flatnonzero(known & ~padded[:-2] & ~padded[2:])


def _shown(line: Any, axes: Any) -> np.ndarray:
    """Which points of a line are on its axes: those that are numbers, and on a logarithmic scale above zero."""
    known = np.ones(len(line.get_xdata()), bool)
    for data, axis in ((line.get_xdata(orig=False), axes.xaxis), (line.get_ydata(orig=False), axes.yaxis)):
        numbers = np.asarray(data, float)
        known &= np.isfinite(numbers) & ((numbers > 0) | (axis.get_scale() != "log"))
    return known


def _end(line: Any, axes: Any) -> tuple[float, float] | None:
    """The last point of a line that is shown; None for none."""
    if not _is_of(line, axes):  # it goes over the whole width
        return axes.get_xlim()[1], float(line.get_ydata(orig=False)[-1])
    places = np.flatnonzero(_shown(line, axes))
    if not len(places):
        return None
    return float(line.get_xdata(orig=False)[places[-1]]), float(line.get_ydata(orig=False)[places[-1]])


def _spread(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Centres of labels as near to the wanted ones as they may be without lying over another, within 0 to 1."""
    order = np.argsort(wanted, kind="stable")
    tall = np.asarray(heights)[order]
    centres = np.clip(np.asarray(wanted, float)[order], 0, 1)
    gaps = (tall[1:] + tall[:-1]) / 2
    for i, gap in enumerate(gaps):
        centres[i + 1] = max(centres[i + 1], centres[i] + gap)
    top = max(1.0, sum(tall) - tall[0] / 2 - tall[-1] / 2)
    centres[-1] = min(centres[-1], top)
    for i in range(len(gaps) - 1, -1, -1):
        centres[i] = min(centres[i], centres[i + 1] - gaps[i])
    places = np.empty(len(centres))
    places[order] = centres
    return places.tolist()


def _darker(color: Any) -> Any:
    """The same colour as one for letters."""
    from matplotlib.colors import to_rgb

    return tuple(0.75 * part for part in to_rgb(color))


def shared_legend(figure: Any, panels: Iterable[Any], columns: int = 4, title: str | None = None) -> None:
    """One legend below a figure for all that its panels show, each label once."""
    found = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if found:
        figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=columns, title=title)
