"""A lock has one holder, whatever dies, sleeps or comes late."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rnn_jax.studies import lock as module
from rnn_jax.studies.lock import Lock, LockLost, machine


def tokens(folder, name="cell") -> list[str]:
    return sorted(path.name for path in (folder / f"{name}.lock").iterdir())


def token(folder, text, name="cell") -> Path:
    """The lock as somebody has left it."""
    (folder / f"{name}.lock").mkdir()
    (folder / f"{name}.lock" / text).touch()
    return folder / f"{name}.lock" / text


def test_one_of_many_gets_it(tmp_path):
    locks, got = [Lock(tmp_path, "cell") for _ in range(8)], []
    start = threading.Barrier(8)

    def work(lock):
        start.wait()
        if lock.acquire():
            got.append(lock)

    threads = [threading.Thread(target=work, args=(lock,)) for lock in locks]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(got) == 1 and [path.name for path in tmp_path.iterdir()] == ["cell.lock"]
    with got[0] as lock:
        assert not any(other.acquire() for other in locks)
        lock.check()
    assert tokens(tmp_path) == ["1-free"] and locks[0].acquire()
    locks[0].release()
    assert tokens(tmp_path) == ["2-free"], "a number must not come twice"


def test_the_lock_of_a_dead_process_is_taken_over_at_once(tmp_path):
    code = (
        f"import os, pathlib; from rnn_jax.studies.lock import Lock; folder = pathlib.Path({str(tmp_path)!r})\n"
        "assert Lock(folder, 'cell').acquire(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    with Lock(tmp_path, "cell") as lock:
        assert lock.acquire() and not Lock(tmp_path, "cell").acquire()
    assert tokens(tmp_path) == ["2-free"]


def test_a_lock_elsewhere_is_dead_when_nobody_touches_it_and_is_waited_for_once(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("rnn_jax.studies.lock.time.monotonic", lambda: now[0])
    file = token(tmp_path, "3-aaaa-1")
    watcher = Lock(tmp_path, "cell", patience=60.0)
    assert not watcher.acquire()
    now[0] += 59
    assert not watcher.acquire()
    os.utime(file, ns=(1, 1))  # it lives
    now[0] += 59
    assert not watcher.acquire()
    now[0] += 61
    assert watcher.acquire() and tokens(tmp_path) == [f"4-{machine()}-{os.getpid()}"]
    watcher.release()
    other = Lock(tmp_path, "cell")
    assert other.acquire(), "the dead one is waited for again"
    other.release()


def test_a_lock_without_a_token_is_told_and_not_waited_for_without_end(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("rnn_jax.studies.lock.time.monotonic", lambda: now[0])
    for left in ("", "1-", "none", "x-free"):
        (folder := tmp_path / "cell.lock").mkdir()
        if left:
            (folder / left).write_bytes(b"\xff")
            lock = Lock(tmp_path, "cell")
            assert not lock.acquire()
            now[0] += 61
            with pytest.raises(ValueError, match=r"cell.lock is damaged: delete that folder"):
                lock.acquire()
        shutil.rmtree(folder)
    assert Lock(tmp_path, "cell").acquire()


@pytest.mark.exhaustive
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be stopped")
def test_a_stopped_holder_has_lost_though_the_next_one_has_finished(tmp_path):
    code = f"""
import pathlib, sys
from rnn_jax.studies.lock import Lock, LockLost
folder = pathlib.Path({str(tmp_path)!r})
lock = Lock(folder, "cell", beat=0.05)
assert lock.acquire()
lock.write(folder / "record", "old")
print("held", flush=True)
sys.stdin.readline()
for action in (lock.check, lambda: lock.write(folder / "record", "late")):
    try:
        action()
    except LockLost:
        print("lost", flush=True)
lock.release()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout.readline() == "held\n"
        watcher = Lock(tmp_path, "cell", patience=0.5)
        for _ in range(20):
            assert not watcher.acquire(), "it is touched"
            time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)
        with watcher.waited_for() as lock:
            lock.write(tmp_path / "record", "new")
        process.send_signal(signal.SIGCONT)
        assert process.communicate("\n", timeout=400)[0] == "lost\nlost\n"
    assert (tmp_path / "record").read_text() == "new" and tokens(tmp_path) == ["2-free"]


WHO = st.integers(0, 2)


class Holders(RuleBasedStateMachine):
    """Three holders of one lock; who does nothing for more than a minute is as one that was stopped."""

    def __init__(self):
        super().__init__()
        self.now, self.written = 0.0, 0
        module.time = SimpleNamespace(monotonic=lambda: self.now, sleep=time.sleep)
        self.folder = Path(tempfile.mkdtemp())
        self.locks = [Lock(self.folder, "cell", beat=1e6) for _ in range(3)]
        self.fences = [0, 0, 0]  # the number that each believes to hold by
        self.newest = 0

    def teardown(self):
        [lock.release() for lock in self.locks]
        module.time = time
        shutil.rmtree(self.folder)

    @rule(seconds=st.sampled_from([1.0, 59.0, 61.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(who=WHO)
    def acquire(self, who):
        if not self.fences[who] and self.locks[who].acquire():
            (name,) = tokens(self.folder)
            number = int(name.partition("-")[0])
            assert number > self.newest, "numbers go up"
            self.newest = self.fences[who] = number

    @rule(who=WHO)
    def check(self, who):
        try:
            self.locks[who].check()
        except LockLost:
            assert not self.fences[who] or self.fences[who] < self.newest
        else:
            assert self.fences[who] == self.newest, "two hold it"

    @rule(who=WHO, other=WHO, place=st.sampled_from(["before", "after", "never"]))
    def write(self, who, other, place):
        """While it writes, before it looks or after, it may be stopped, and another takes over, writes, gives back."""

        def stopped():
            if place == "before":
                self.take_over(other)
            Lock.check(lock)
            if place == "after":
                self.take_over(other)

        if (lock := self.locks[who]) is self.locks[other]:
            return
        lock.check = stopped
        try:
            lock.write(self.folder / "record", str(self.fences[who]))
        except LockLost:
            assert not self.fences[who] or self.fences[who] < self.newest
        else:
            assert self.fences[who] == self.newest, "written by one that had lost"
        finally:
            del lock.check

    def take_over(self, other):
        self.acquire(other)
        self.now += 61
        self.acquire(other)
        if self.fences[other]:
            try:
                self.locks[other].write(self.folder / "record", str(self.fences[other]))
            except LockLost:
                assert self.fences[other] < self.newest

    @rule(who=WHO)
    def release(self, who):
        self.locks[who].release()
        self.fences[who] = 0

    @invariant()
    def what_is_written_never_goes_back(self):
        written = self.folder / "record"
        found = int(written.read_text()) if written.exists() else 0
        assert self.written <= found <= self.newest
        self.written = found
        if (self.folder / "cell.lock").exists():
            assert len(tokens(self.folder)) == 1, "a token was lost, or a file is left"


TestHolders = Holders.TestCase
TestHolders.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
