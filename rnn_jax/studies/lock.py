"""One process at a time, among several on one or more machines that share a folder.

A lock is a folder `NAME.lock` with one empty file in it, its token, whose name says all: `7-free`, or `8-MACHINE-PID`
of who holds it. To take the lock is to rename the token that was seen to one of the next number, which the file system
lets one process do only; numbers never go down, and no name comes twice. A holder's thread touches the token every few
seconds. It is dead if its process is gone (on the same machine), or if nobody has touched the token while another
process watched it for a minute by its own clock, so that clocks need not agree; then others take the lock as they take
a free one. A holder that has slept only finds that its token is gone: it has lost, whatever the next one did meanwhile.
"""

import contextlib
import hashlib
import os
import platform
import re
import tempfile
import threading
import time
from pathlib import Path

BEAT = 5.0  # seconds between two touches
PATIENCE = 60.0  # seconds without a touch after which a lock is dead
TOKEN = re.compile(r"(\d+)-(?:free|([0-9a-f]+)-(\d+))")


class LockLost(RuntimeError):
    """Another process has taken the lock over, because this one did not touch it for too long."""


class Lock:
    """A lock in a folder; a context manager once `acquire` was true: `with lock.waited_for():`.

    Args:
        folder: where its own folder is; created.
        name: of the lock.
        patience: seconds after which an untouched lock is dead.
        beat: seconds between two touches.
    """

    def __init__(self, folder: Path, name: str, *, patience: float = PATIENCE, beat: float = BEAT):
        self.path, self.patience, self.beat = Path(folder) / f"{name}.lock", patience, beat
        self._held: Path | None = None
        self._stop = threading.Event()
        self._seen: tuple[str, int, float] | None = None  # token, its time, when that was seen first

    def acquire(self) -> bool:
        """Try to get the lock; does not wait. Call it again to watch a lock that may be dead.

        Raises:
            ValueError: there has been no token for longer than any rename takes.
        """
        _make(self.path)
        number, token = max(self._tokens(), default=(0, self.path / "none"))
        if not (token.name.endswith("-free") or self._dead(token)):
            return False
        mine = self.path / f"{number + 1}-{machine()}-{os.getpid()}"
        try:
            token.rename(mine)
        except FileNotFoundError:  # another was faster
            return False
        for unfinished in self.path.glob("*.tmp"):  # of holders before, who must not finish them any more
            unfinished.unlink(missing_ok=True)
        self._held, self._stop = mine, threading.Event()
        threading.Thread(target=self._beat, args=(mine, self._stop), daemon=True).start()
        return True

    def waited_for(self) -> "Lock":
        """Wait until this process holds the lock: for what takes others a moment only."""
        while not self.acquire():
            time.sleep(0.05)
        return self

    def check(self) -> None:
        """Raise LockLost unless this process holds the lock still."""
        if self._held is None or not self._held.exists():
            raise LockLost(f"the lock {self.path} is no longer this process's: another has taken it")

    def write(self, file: Path, text: str) -> None:
        """Replace a file as a whole if this process holds the lock still, and leave it as it is if not.

        What is not yet in its place lies in the lock's folder, where whoever takes the lock deletes it first: a holder
        that slept between the check and the replacement has nothing to put in place any more.

        Raises:
            LockLost: this process does not hold the lock.
        """
        if self._held is None:
            raise LockLost(f"the lock {self.path} is not held: {file} is left as it is")
        unfinished = self.path / f"{self._held.name}.tmp"
        with unfinished.open("w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        try:
            self.check()
            unfinished.replace(file)
        except (LockLost, FileNotFoundError):
            unfinished.unlink(missing_ok=True)
            raise LockLost(f"the lock {self.path} was taken by another: {file} is left as it is") from None

    def release(self) -> None:
        """Give the lock back; one that is lost stays its new holder's."""
        self._stop.set()
        if self._held is not None:
            with contextlib.suppress(FileNotFoundError):
                self._held.rename(self.path / f"{self._held.name.partition('-')[0]}-free")
        self._held = None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _tokens(self) -> list[tuple[int, Path]]:
        """Number and path; none, or two, where a rename happens at this moment."""
        found = map(TOKEN.fullmatch, os.listdir(self.path))
        return [(int(token[1]), self.path / token[0]) for token in found if token]

    def _dead(self, token: Path) -> bool:
        try:
            touched = token.stat().st_mtime_ns
        except FileNotFoundError:
            touched = 0  # just taken or given back: the next try finds out
        whose = TOKEN.fullmatch(token.name)
        if whose and whose[2] == machine() and not _runs(int(whose[3])):
            return True
        if self._seen is None or self._seen[:2] != (token.name, touched):
            self._seen = (token.name, touched, time.monotonic())
        past = time.monotonic() - self._seen[2] > self.patience
        if past and not whose:
            raise ValueError(f"the lock {self.path} is damaged: delete that folder once no other process uses it")
        return past

    def _beat(self, token: Path, stop: threading.Event) -> None:
        while not stop.wait(self.beat):
            with contextlib.suppress(OSError):
                os.utime(token)


def _make(path: Path) -> None:
    """Make the folder of a lock with a token in it, both at once, unless it is there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        new = Path(folder, "new")
        new.mkdir()
        (new / "0-free").touch()
        with contextlib.suppress(OSError):  # a folder that is not empty, as one with a token never is, stays
            new.rename(path)


def machine() -> str:
    """What makes a process number unique, as a word: the host, its start, and the space of numbers of a container."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
