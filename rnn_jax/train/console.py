"""Progress for people: a bar on a terminal and in a notebook, a plain line now and then elsewhere."""

import sys
import time
import warnings
from io import TextIOBase
from typing import Any

from tqdm import TqdmWarning, tqdm


def rounded(value: float) -> str:
    """A number as people read it: four significant digits, and all of those before the point."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


class Console:
    """Shows how far a run is and its newest metrics.

    Args:
        total: steps of the run.
        start: steps already made.
        interval: seconds between two plain lines.
        stream: where to; standard error by default, so that standard output stays free for results. In a notebook, by
            default, a bar beneath the cell, which has the newest evaluation too.
    """

    def __init__(self, total: int, start: int = 0, interval: float = 10.0, stream: TextIOBase | None = None):
        self._notebook = stream is None and in_notebook()
        self._stream = stream or sys.stderr
        self._total, self._start, self._interval = total, start, interval
        self._began = self._last = time.monotonic()
        self._metrics = self._scores = ""
        self._bar = None
        options = {"total": total, "initial": start, "unit": "step", "dynamic_ncols": True}
        if self._notebook:
            self._bar = notebook_bar()(**options)
        elif self._stream.isatty():
            self._bar = tqdm(file=self._stream, **options)

    def show(self, step: int, metrics: dict[str, float]) -> None:
        """Report the newest training metrics."""
        self._metrics = "  ".join(f"{name} {rounded(value)}" for name, value in metrics.items())
        if self._bar is not None:
            self._bar.update(step - self._bar.n)
            self._describe(refresh=False)
        elif time.monotonic() - self._last >= self._interval:
            self._last = time.monotonic()
            rate = (step - self._start) / (self._last - self._began)
            left = (self._total - step) / max(rate, 1e-9)
            self.line(f"step {step}/{self._total}  {self._metrics}  {rate:.2f} step/s  {left:.0f} s left")

    def scores(self, step: int, text: str) -> None:
        """Report an evaluation: a line that stays, or in a notebook the end of the bar."""
        if self._notebook:
            self._scores = text
            self._describe(refresh=True)
        else:
            self.line(f"step {step}/{self._total}  {text}")

    def line(self, text: str) -> None:
        """Print one line that stays."""
        if self._bar is not None and not self._notebook:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the terminal in order."""
        if self._bar is not None:
            self._bar.close()

    def _describe(self, refresh: bool) -> None:
        assert self._bar is not None
        self._bar.set_postfix_str("  ".join(filter(None, [self._metrics, self._scores])), refresh=refresh)


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    return "ipykernel.zmqshell" in sys.modules


def notebook_bar() -> Any:
    """The class of a notebook's bars: a widget, or text where there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # that there are no widgets
        from tqdm.auto import tqdm as bar
    return bar
