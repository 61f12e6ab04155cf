"""Runs of the tiny experiment that stop, are damaged or are scored as a test wants it."""

import dataclasses
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.experiments import tiny_study
from tests.experiments.as_user import Commands


def scored(*scores: float, stop_after: int = 0, after: Callable[[int], object] = int) -> Commands:
    """The tiny experiment with these scores of its evaluations, the last one again and again.

    Args:
        scores: the next one at each evaluation.
        stop_after: SIGTERM comes in this evaluation.
        after: is called at the end of each evaluation, with their number so far.
    """
    count = 0

    def evaluate(params) -> dict[str, float]:
        nonlocal count
        count += 1
        if count == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        after(count)
        return {"validation_loss": scores[min(count, len(scores)) - 1]}

    def prepare(config):
        prepared = tiny_study.prepare(config)
        return dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, evaluate=evaluate))

    return Commands(dataclasses.replace(tiny_study.EXPERIMENT, prepare=prepare))


plain = Commands(tiny_study.EXPERIMENT)


def begin(folder: Path) -> tuple[Path, Sequence]:
    """A run and the words that begin it."""
    return folder / "tiny_study" / "run", ("--runs", folder, "--name", "run")


def damage(run: Path, *steps: int) -> None:
    for step in steps:
        for file in (run / "checkpoints" / str(step)).rglob("*"):
            if file.is_file():
                file.write_bytes(b"")


def result(run: Path) -> dict:
    return tiny_study.EXPERIMENT.open(run)[0].read_json("result.json")


def stopped(folder: Path, *flags) -> Path:
    """A run that SIGTERM stopped at its first checkpoint."""
    run, words = begin(folder)
    assert scored(3.0, stop_after=1)(*words, *flags) == 143
    return run


def full_disk(*_, **__):
    raise OSError("No space left on device")
