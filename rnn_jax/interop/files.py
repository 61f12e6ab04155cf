"""Files of other libraries: the package that reads and writes them, and how one is written."""

import importlib
import os
from pathlib import Path
from typing import Any

from rnn_jax.extras import optional_imports


def library(name: str) -> Any:
    """A module of an optional package.

    Raises:
        MissingExtra: the package is not installed.
    """
    with optional_imports():
        importlib.import_module(name.partition(".")[0])
        return importlib.import_module(name)


def replace_file(path: str | Path, content: bytes) -> None:
    """Write a file as a whole: a reader sees the old content or the new one, also after a crash."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
