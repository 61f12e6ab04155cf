"""One process at a time, among several on one or more machines that share a folder.

A lock is a file `NAME.lock-N` that its holder created with O_EXCL, which only one can. It says who, and a thread
touches it every few seconds. A lock is dead if its process is gone (on the same machine), or if it has not been touched
while another process watched it for a minute by its own clock, so that clocks need not agree. A dead lock is not
deleted, which two could do after one another, but superseded: `NAME.lock-(N+1)` is created, again with O_EXCL, and the
highest number holds. Its old holder, should it have slept only, sees that number and has lost.
"""

import contextlib
import json
import os
import platform
import re
import threading
import time
from pathlib import Path

BEAT = 5.0  # seconds between two touches
PATIENCE = 60.0  # seconds without a touch after which a lock is dead


class LockLost(RuntimeError):
    """Another process has taken the lock over, because this one did not touch it for too long."""


class Lock:
    """A lock in a folder; a context manager once `acquire` was true: `with lock.waited_for():`.

    Args:
        folder: where its files are; created.
        name: of the lock.
        patience: seconds after which an untouched lock is dead.
        beat: seconds between two touches.
    """

    def __init__(self, folder: Path, name: str, *, patience: float = PATIENCE, beat: float = BEAT):
        self.folder, self.name, self.patience, self.beat = folder, name, patience, beat
        self._file: Path | None = None
        self._stop = threading.Event()
        self._seen: tuple[str, int, float] | None = None  # file, its time, when that was seen first

    def acquire(self) -> bool:
        """Try to get the lock; does not wait. Call it again to watch a lock that may be dead."""
        self.folder.mkdir(parents=True, exist_ok=True)
        number = self._highest()
        if number and not self._dead(self._path(number)):
            return False
        file = self._path(number + 1)
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w") as opened:
            opened.write(json.dumps({"machine": machine(), "pid": os.getpid()}) + "\n")
        if self._highest() != number + 1:  # it was judged by what is long past
            file.unlink()
            return False
        self._file, self._stop = file, threading.Event()
        threading.Thread(target=self._beat, args=(file, self._stop), daemon=True).start()
        return True

    def waited_for(self) -> "Lock":
        """Wait until this process holds the lock: for what takes others a moment only."""
        while not self.acquire():
            time.sleep(0.05)
        return self

    def check(self) -> None:
        """Raise LockLost unless this process holds the lock still."""
        if self._file is None or self._file != self._path(self._highest()):
            raise LockLost(f"the lock {self.name} in {self.folder} is no longer this process's: another has taken it")

    def release(self) -> None:
        """Give the lock back. The file of a lost one stays: its number must not come twice."""
        self._stop.set()
        with contextlib.suppress(LockLost, FileNotFoundError):
            self.check()
            if self._file is not None:
                self._file.unlink()
        self._file = None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.name}.lock-{number}"

    def _highest(self) -> int:
        """The highest number of a lock that is there; 0 for none."""
        form = re.compile(re.escape(self.name) + r"\.lock-(\d+)")
        return max((int(found[1]) for path in self.folder.iterdir() if (found := form.fullmatch(path.name))), default=0)

    def _dead(self, file: Path) -> bool:
        try:
            touched, text = file.stat().st_mtime_ns, file.read_text()
        except FileNotFoundError:
            return False  # just given back: the next try finds out
        with contextlib.suppress(ValueError, KeyError):
            holder = json.loads(text)
            if holder["machine"] == machine() and not _runs(holder["pid"]):
                return True
        if self._seen is None or self._seen[:2] != (file.name, touched):
            self._seen = (file.name, touched, time.monotonic())
        return time.monotonic() - self._seen[2] > self.patience

    def _beat(self, file: Path, stop: threading.Event) -> None:
        while not stop.wait(self.beat):
            with contextlib.suppress(OSError):
                os.utime(file)


def machine() -> str:
    """What makes a process number unique: the host, its start, and the space of numbers that containers have."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
