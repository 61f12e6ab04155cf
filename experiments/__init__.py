"""One file, one question: `python -m experiments.NAME`.

Ctrl-C ends a program in one line wherever it comes: while modules are imported, data are read or figures are drawn. So
does a package that is not installed, with the command that installs it.
"""

import contextlib
import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any

INTERRUPTED = "interrupted; what was saved stays"
_before: Any = sys.excepthook


def _in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    said = INTERRUPTED if isinstance(error, KeyboardInterrupt) else ""
    with contextlib.suppress(ImportError):  # of JAX, which the library brings
        if isinstance(error, ModuleNotFoundError):
            from rnn_jax.extras import explained

            said = f"error: {mended}" if (mended := explained(error)) else ""
    if said:
        print(said, file=sys.stderr)
    else:
        _before(kind, error, trace)


def _at_once(number: int, frame: FrameType | None) -> None:
    # Modules of C++ lose an exception that is raised while they are imported, or crash on it.
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(128 + number)


def imported() -> None:
    """The modules of a program are there: from here on Ctrl-C is the exception that it usually is."""
    if signal.getsignal(signal.SIGINT) is _at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


sys.excepthook = _in_one_line
if sys.argv[:1] == ["-m"]:  # Python's name for a program that it is still looking for
    signal.signal(signal.SIGINT, _at_once)
