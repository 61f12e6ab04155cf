"""Progress for people: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from io import TextIOBase

from tqdm import tqdm


class Console:
    """Shows how far a run is and its newest metrics.

    Args:
        total: steps of the run.
        start: steps already made.
        interval: seconds between two plain lines.
        stream: where to; standard error by default, so that standard output stays free for results.
    """

    def __init__(self, total: int, start: int = 0, interval: float = 10.0, stream: TextIOBase | None = None):
        self._stream = stream or sys.stderr
        self._total, self._start, self._interval = total, start, interval
        self._began = self._last = time.monotonic()
        self._bar = None
        if self._stream.isatty():
            self._bar = tqdm(total=total, initial=start, file=self._stream, unit="step", dynamic_ncols=True)

    def show(self, step: int, metrics: dict[str, float]) -> None:
        """Report the newest training metrics."""
        text = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        if self._bar is not None:
            self._bar.update(step - self._bar.n)
            self._bar.set_postfix_str(text, refresh=False)
        elif time.monotonic() - self._last >= self._interval:
            self._last = time.monotonic()
            rate = (step - self._start) / (self._last - self._began)
            left = (self._total - step) / max(rate, 1e-9)
            self.line(f"step {step}/{self._total}  {text}  {rate:.2f} step/s  {left:.0f} s left")

    def line(self, text: str) -> None:
        """Print one line that stays."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the terminal in order."""
        if self._bar is not None:
            self._bar.close()
