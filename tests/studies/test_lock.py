"""A lock has one holder, whatever dies, sleeps or comes late."""

import json
import os
import subprocess
import sys
import threading

import pytest

from rnn_jax.studies.lock import Lock, LockLost, machine


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
    assert len(got) == 1
    with got[0] as lock:
        assert not any(other.acquire() for other in locks)
        lock.check()
    assert list(tmp_path.iterdir()) == [] and locks[0].acquire()
    locks[0].release()


def test_the_lock_of_a_dead_process_is_taken_over_at_once(tmp_path):
    code = (
        f"import os, pathlib; from rnn_jax.studies.lock import Lock; folder = pathlib.Path({str(tmp_path)!r})\n"
        "assert Lock(folder, 'cell').acquire(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    with Lock(tmp_path, "cell") as lock:
        assert lock.acquire() and not Lock(tmp_path, "cell").acquire()
    assert [path.name for path in tmp_path.iterdir()] == ["cell.lock-1"], "a number must not come twice"


def test_a_lock_elsewhere_is_dead_when_nobody_touches_it(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("rnn_jax.studies.lock.time.monotonic", lambda: now[0])
    file = tmp_path / "cell.lock-3"
    file.write_text(json.dumps({"machine": "another", "pid": 1}))
    watcher = Lock(tmp_path, "cell", patience=60.0)
    assert not watcher.acquire()
    now[0] += 59
    assert not watcher.acquire()
    os.utime(file, ns=(1, 1))  # it lives
    now[0] += 59
    assert not watcher.acquire()
    now[0] += 61
    assert watcher.acquire() and (tmp_path / "cell.lock-4").exists()
    watcher.release()


def test_who_has_slept_too_long_has_lost(tmp_path):
    slow = Lock(tmp_path, "cell")
    assert slow.acquire()
    (tmp_path / "cell.lock-2").write_text(json.dumps({"machine": machine(), "pid": os.getpid()}))
    with pytest.raises(LockLost, match="another has taken it"):
        slow.check()
    slow.release()
    assert (tmp_path / "cell.lock-1").exists()


def test_who_comes_late_with_an_old_number_has_not_got_it(tmp_path, monkeypatch):
    (tmp_path / "cell.lock-5").write_text("{}")
    late = Lock(tmp_path, "cell")
    numbers = iter([0, 5])  # it looked before the others came
    monkeypatch.setattr(late, "_highest", lambda: next(numbers))
    assert not late.acquire() and not (tmp_path / "cell.lock-1").exists()
