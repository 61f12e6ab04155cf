"""One file, one question: `python -m experiments.NAME`."""

import sys
from types import TracebackType
from typing import Any

_before: Any = sys.excepthook


def _in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ctrl-C ends in one line wherever it comes: while modules are imported, data are read or figures are drawn."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted; what was saved stays", file=sys.stderr)
    else:
        _before(kind, error, trace)


sys.excepthook = _in_one_line  # here, before anything that takes its time to import
