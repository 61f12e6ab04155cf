"""Ask a training loop to stop at the next step instead of dying in the middle of one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether a signal asked to stop, and which one.

    Attributes:
        signal_number: of the first signal, or None.
    """

    def __init__(self):
        self.signal_number: int | None = None

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self.signal_number is not None

    @property
    def exit_code(self) -> int:
        """What the process should return: 128 + the signal's number (SIGINT 130, SIGTERM 143), 0 without one."""
        return 0 if self.signal_number is None else 128 + self.signal_number

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.requested:
            self.signal_number = number


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a request to stop; the handlers from before are put back at the end.

    A SIGINT after the first signal raises KeyboardInterrupt at once. Python delivers signals to the main thread only:
    in another thread nothing is installed and the request never comes.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop._handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            # A handler that was not installed from Python is None and cannot be put back from here.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
