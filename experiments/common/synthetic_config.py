"""Which generated task, at which lengths: the fields of memory tasks and of state tracking."""

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from experiments.common.sequence_labeler import StepSettings
from experiments.common.synthetic import MEMORY_TASKS, REGULAR, STATE_TASKS, Generated, at_lengths
from rnn_jax.checks import check_choice, check_size


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratedSettings(StepSettings):
    """What both have in common.

    Raises:
        ValueError: a value is out of range.
    """

    held_out: int = 512
    """Sequences for validation, and as many for the test; the same ones for every seed."""
    batch_size: int = 128
    """Sequences in an update."""

    def __post_init__(self):
        check_size("held_out", self.held_out)
        check_size("batch_size", self.batch_size)
        super().__post_init__()


@dataclasses.dataclass(frozen=True, kw_only=True)
class StateSettings(GeneratedSettings):
    """Which automaton, and the lengths of training and test.

    Raises:
        ValueError: a value is out of range, or the test has no lengths beyond those of training.
    """

    task: str = "regular"
    """regular for four of them, or parity, even_pairs, cycle_navigation, modular_arithmetic, dyck, s5, a5, listops."""
    longest: int = 40
    """The greatest length in training; validation goes up to twice that."""
    test_length: int = 500
    """The greatest length in the test."""
    every_step: bool = True
    """Train the answer after every step; without, at the end of sequences whose lengths are drawn at random."""
    curriculum: int = 6000
    """Updates over which the steps that count grow from the first three to all; 0 counts all from the beginning."""
    scaled: bool = False
    """Give the value as 0 for guessing to 1, instead of accuracy in %."""

    def __post_init__(self):
        check_choice("task", self.task, ("regular", *STATE_TASKS))
        check_size("longest", self.longest)
        if self.curriculum < 0:
            raise ValueError(f"curriculum={self.curriculum}: expected 0 (none) or more updates")
        if self.longest < 3:
            raise ValueError(f"longest={self.longest}: expected at least 3 steps")
        if self.test_length <= self.longest:
            raise ValueError(f"test_length={self.test_length}: expected more than longest={self.longest}")
        super().__post_init__()

    @property
    def tasks(self) -> dict[str, Any]:
        """Tasks by their names."""
        return {name: STATE_TASKS[name] for name in (REGULAR if self.task == "regular" else (self.task,))}

    def training(self, key: jax.Array) -> dict[str, Generated]:
        """Sequences of each task to train with, by a typed key."""
        growing = self.curriculum * self.batch_size
        return self.streams(key, 1, self.longest, one_step=not self.every_step, growing=growing)

    def streams(self, key: jax.Array, first: int, last: int, **options: Any) -> dict[str, Generated]:
        """Sequences of each task by a typed key, of lengths from `first` to `last`; options are those of `Generated`"""
        tasks = enumerate(self.tasks.items())
        return {n: at_lengths(t, jax.random.fold_in(key, i), first, last, **options) for i, (n, t) in tasks}

    def value(self, accuracies: dict[str, float]) -> float:
        """The mean over tasks of accuracies in %; or of (a − g) / (100 − g), where g is that of a guess."""
        if not self.scaled:
            return float(np.mean(list(accuracies.values())))
        guessed = {name: 100 / task.classes for name, task in self.tasks.items()}
        return float(np.mean([(a - guessed[name]) / (100 - guessed[name]) for name, a in accuracies.items()]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemorySettings(GeneratedSettings):
    """What is to be remembered, and for how long.

    Raises:
        ValueError: a value is out of range.
    """

    task: str = "adding"
    """adding, copy, selective_copy or recall."""
    length: int = 600
    """Steps; of copy, the delay."""

    def __post_init__(self):
        check_choice("task", self.task, tuple(MEMORY_TASKS))
        check_size("length", self.length)
        super().__post_init__()

    @property
    def tasks(self) -> dict[str, Any]:
        """The task by its name."""
        return {self.task: MEMORY_TASKS[self.task]}

    def streams(self, key: jax.Array, length: int) -> dict[str, Generated]:
        """Sequences of one length by a typed key.

        Raises:
            ValueError: there is no room for the task.
        """
        stream = Generated(MEMORY_TASKS[self.task], key, (length,))
        jax.eval_shape(stream, jax.ShapeDtypeStruct((1,), "int32"))
        return {self.task: stream}

    @property
    def forgetful(self) -> float:
        """What is left to a model that remembers nothing: mean squared error, nats a step, or accuracy in %."""
        task: Any = MEMORY_TASKS[self.task]
        if self.task == "adding":
            return 1 / 6
        if self.task == "copy":
            return task.count * math.log(task.symbols) / (self.length + 2 * task.count)
        return 100 / (task.symbols if self.task == "selective_copy" else task.values)
