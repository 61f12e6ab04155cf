"""Which automaton, at which lengths, followed by which model."""

import dataclasses
from typing import Any

import jax

from experiments.common.sequence_labeler import SequenceLabelerConfig
from experiments.common.synthetic import SampleStream
from experiments.state_tracking.data import REGULAR, TASKS, lengths_between
from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.train import FitConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Which automaton, at which lengths, followed by which model.

    Raises:
        ValueError: a value is out of range, or the test has no lengths beyond those of training.
    """

    task: str = "regular"
    """regular (four of them), parity, even_pairs, cycle_navigation, modular_arithmetic, dyck, s3, s5, a5 or listops."""
    longest: int = 40
    """The greatest length in training; validation goes up to twice that."""
    test_length: int = 500
    """The greatest length in the test."""
    every_step: bool = True
    """Train the answer after every step; without, at the end of sequences whose lengths are drawn at random."""
    curriculum: int = 6000
    """Updates over which the steps that count grow from the first three to all; 0 counts all from the beginning. Cells
    that are linear in their carry go further without: on few steps the readout makes the loss vanish, and then no
    gradient is left to bring an eigenvalue near to -1."""
    label_smoothing: float = 0.0
    """In training, the share of a state's probability that all states share. Without, the loss of cells that are linear
    in their carry vanishes on the lengths of training, and with it the gradient, before an eigenvalue is near to -1;
    with some, the least loss has equally sure answers after every step, which only an eigenvalue of -1 gives."""
    scaled: bool = False
    """Give the value as 0 for guessing to 1, instead of accuracy in %."""
    held_out: int = 512
    """Sequences for validation, and as many for the test; the same ones for every seed."""
    batch_size: int = 32
    """Sequences in an update."""
    model: SequenceLabelerConfig = SequenceLabelerConfig(cell="lstm", hidden_size=128, heads=2)
    fit: FitConfig = FitConfig(steps=20_000, evaluate_every=500, steps_per_dispatch=50, learning_rate=2e-3)

    def __post_init__(self):
        check_choice("task", self.task, ("regular", *TASKS))
        for name in ("longest", "held_out", "batch_size"):
            check_size(name, getattr(self, name))
        check_rate("label_smoothing", self.label_smoothing)
        if self.curriculum < 0:
            raise ValueError(f"curriculum={self.curriculum}: expected 0 (none) or more updates")
        if self.longest < 3:
            raise ValueError(f"longest={self.longest}: expected at least 3 steps")
        if self.test_length <= self.longest:
            raise ValueError(f"test_length={self.test_length}: expected more than longest={self.longest}")

    @property
    def title(self) -> str:
        """The task and the model in a few words."""
        return f"{self.task}: {self.model.summary}"

    @property
    def tasks(self) -> dict[str, Any]:
        """Tasks by their names."""
        return {name: TASKS[name] for name in (REGULAR if self.task == "regular" else (self.task,))}

    def training_streams(self, key: jax.Array) -> dict[str, SampleStream]:
        """Sequences of each task to train with, by a typed key."""
        growing = self.curriculum * self.batch_size
        return self.streams(key, 1, self.longest, one_step=not self.every_step, growing=growing)

    def streams(self, key: jax.Array, first: int, last: int, **options: Any) -> dict[str, SampleStream]:
        """Sequences of each task by a typed key, that serve all lengths from `first` to `last`; see `lengths_between`.

        Options are those of `SampleStream`.
        """
        return {
            name: SampleStream(task, jax.random.fold_in(key, i), lengths_between(task, first, last), **options)
            for i, (name, task) in enumerate(self.tasks.items())
        }
