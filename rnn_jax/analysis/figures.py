"""What all figures share: no result depends on one, and what they name is shown as it is written."""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

Arguments = ParamSpec("Arguments")


def draws(draw: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Marks a function that draws: a figure that fails is a warning, for what it shows has been computed before."""

    @functools.wraps(draw)
    def drawn(*positional: Arguments.args, **named: Arguments.kwargs) -> None:
        try:
            draw(*positional, **named)
        except Exception as error:
            what = next((str(one) for one in (*positional, *named.values()) if isinstance(one, Path)), draw.__name__)
            warnings.warn(f"no figure {what}: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=2)

    return drawn


def save_figure(figure: Any, file: Path, dpi: int = 120) -> None:
    """Write a figure of matplotlib and make its folder; a name such as `$x$y` is no formula, as ticks of 10² are."""
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    formulas = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if not isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter):
            formulas |= set(axis.findobj(Text)) - {axis.label}
    for text in set(figure.findobj(Text)) - formulas:
        text.set_parse_math(False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=dpi)
