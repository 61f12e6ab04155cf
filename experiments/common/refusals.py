"""What is said of inputs that are not answered, and what libraries warn of, in words."""

import contextlib
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

MOST = 20
"""So many errors of a kind are said one by one."""


class Refusals:
    """Errors as they come, on standard error: the first of each kind, and in the end how many more there were.

    Attributes:
        count: of all of them.
    """

    def __init__(self):
        self.count = 0
        self._kinds: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def say(self, name: Any, error: Exception) -> None:
        """Print the error of the input of that name, unless there were many like it."""
        # Of one kind are those that differ in numbers and in what stands in quotes.
        kind = re.sub(r"'[^']*'|\"[^\"]*\"|[\d.,]+", "#", str(error))
        self.count += 1
        self._kinds[kind] += 1
        self._first.setdefault(kind, str(error))
        if self._kinds[kind] <= MOST:
            print(f"error: {name}: {error}", file=sys.stderr)

    def finish(self) -> None:
        """Print how many were left out."""
        for kind, count in self._kinds.items():
            if count > MOST:
                print(f"error: and {count - MOST:,} more like: {self._first[kind]}", file=sys.stderr)


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Warnings are notes without lines of code, each once; numbers that overflow are none: what is not finite fails."""
    said = set()

    def show(message: Any, *_: Any, **__: Any) -> None:
        if str(message) not in said:
            said.add(str(message))
            print(f"note: {message}", file=sys.stderr)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.showwarning = show
        yield
