"""Several processes that do one thing: they all go on, or they all raise. With one process these are plain calls."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils


def is_writer() -> bool:
    """Whether this is the one process that writes to the run directory."""
    return jax.process_index() == 0


def together(action: Callable[[], Any]) -> Any:
    """The result of `action` in every process, or an error in every process if it failed in one of them.

    Raises:
        RuntimeError: `action` failed in another process only; where it failed its own error is raised.
    """
    result, error = None, None
    try:
        result = action()
    except Exception as caught:
        error = caught
    if np.all(multihost_utils.process_allgather(np.array(error is None))):
        return result
    raise error or RuntimeError("it failed in another process")


def in_writer(action: Callable[[], Any]) -> None:
    """Do `action` in the writing process while the others wait; an error there is an error everywhere."""
    together(action if is_writer() else lambda: None)


def anywhere(flag: bool) -> bool:
    """Whether `flag` is true in any process; every process gets the same answer."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))
