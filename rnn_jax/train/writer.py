"""One run, one writer: whoever else would train into a run directory is refused."""

import contextlib
import datetime
import itertools
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from rnn_jax.train.agreement import in_writer, is_writer


def default_name() -> str:
    """The name of a run that is given none: the time."""
    return datetime.datetime.now().strftime("%Y%m%d-%H%M%S")


def claimed(folder: Path, name: str, ending: str = "") -> Path:
    """A new directory in a folder, which no other process gets: NAME, or NAME-2, NAME-3, ..., each with an ending."""
    for number in itertools.count(1):
        path = folder / f"{name}{f'-{number}' * (number > 1)}{ending}"
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise AssertionError("numbers do not end")


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold the run directory at a path, which need not be there yet, against every other process.

    The lock is one of the operating system: it ends with the process that holds it, however that ends. It lies beside
    the directory, as does a file that says who holds it.

    Raises:
        ValueError: another process holds it.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), thread_local=False)
    who = path.with_name(f".{path.name}.writer")

    def acquire() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise ValueError(f"{path} is being written by {_holder(who)}") from None
        who.write_text(json.dumps({"host": platform.node(), "pid": os.getpid()}))

    in_writer(acquire)
    try:
        yield
    finally:
        if is_writer():
            # While it is held: whoever has opened the file before finds out that it has no name any more.
            for file in (who, Path(lock.lock_file)):
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)
            lock.release()


def _holder(file: Path) -> str:
    try:
        holder = json.loads(file.read_text())
        host, pid = str(holder["host"]), int(holder["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process; wait until it ends"
    there = "" if host == platform.node() else f"ssh {host} "
    return f"process {pid} on {host}; wait until it ends, or let it save and stop with: {there}kill {pid}"
