"""Kills at chosen moments: in the middle of the writing of a file, when the new one is not in its place."""

from pathlib import Path


class Killed(BaseException):
    """What no handler of errors catches, as a kill is not."""


def kill_at_writes(monkeypatch, *moments: int) -> list[int]:
    """From now on the writes with these numbers are the end; gives those that are still to come."""
    replace, count, after = Path.replace, 0, list(moments)

    def counted(path, target):
        nonlocal count
        count += 1
        if after and count == after[0]:
            after.pop(0)
            raise Killed
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", counted)
    return after
