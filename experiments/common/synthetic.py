"""Training and test data that are drawn where they are used: the n-th sequence is a pure function of (key, n)."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.memory.data import Adding, Copy, Recall, Sample, SelectiveCopy
from experiments.state_tracking.data import CycleNavigation, Dyck, EvenPairs, GroupWords, ModularArithmetic, Parity
from experiments.state_tracking.listops import ListOps

MEMORY_TASKS = {"adding": Adding(), "copy": Copy(), "selective_copy": SelectiveCopy(), "recall": Recall()}
STATE_TASKS = {
    "parity": Parity(),
    "even_pairs": EvenPairs(),
    "cycle_navigation": CycleNavigation(),
    "modular_arithmetic": ModularArithmetic(),
    "dyck": Dyck(),
    "s5": GroupWords("S5"),
    "a5": GroupWords("A5"),
    "listops": ListOps(),
}
REGULAR = ("parity", "even_pairs", "cycle_navigation", "modular_arithmetic")
"""The regular tasks of Delétang et al. 2023, arXiv:2207.02098, table 1."""
BATCH_AXES: dict[str, int | None] = {"numbers": 0, "key": None}
"""Where the batch is in the arrays of `numbered`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Generated:
    """Sequences without end.

    Attributes:
        task: has `sample(key, batch, length)`.
        key: a typed key.
        lengths: sequence n is drawn at the length `lengths[n % len(lengths)]`; shorter ones are filled up to the
            longest, with steps that do not count.
        one_step: only one of the steps that count does, drawn at random: an answer at the end, at random lengths.
        growing: a curriculum: in sequence n only the first steps count, from 3 of them up to all in sequence
            `growing`, with the square of n, for what is asked after few steps takes longest to learn.
    """

    task: Any
    key: jax.Array
    lengths: tuple[int, ...]
    one_step: bool = False
    growing: int = 0

    def __call__(self, numbers: jax.Array) -> Sample:
        """The sequences of these numbers, int32 `[B]`; any part of a batch is drawn without the others."""
        return jax.vmap(self._one, out_axes=1)(numbers)

    def _one(self, number: jax.Array) -> Sample:
        sample_key, step_key = jax.random.split(jax.random.fold_in(self.key, number))
        keys = [jax.random.fold_in(sample_key, length) for length in self.lengths]
        drawn = [self.task.sample(key, 1, length) for key, length in zip(keys, self.lengths, strict=True)]
        longest = max(len(sample.inputs) for sample in drawn)
        sample = jax.tree.map(
            lambda *leaves: jnp.stack([_filled(leaf[:, 0], longest) for leaf in leaves])[number % len(leaves)], *drawn
        )
        if self.growing:
            share = jnp.minimum(number.astype(jnp.float32) / self.growing, 1.0)
            far = jnp.arange(longest, dtype=jnp.float32) < 3 + share**2 * (longest - 3)
            sample = sample._replace(counted=sample.counted & far)
        if self.one_step:
            order = jnp.where(sample.counted, jax.random.uniform(step_key, sample.counted.shape), -1.0)
            sample = sample._replace(counted=jnp.arange(longest) == jnp.argmax(order))
        return sample


def numbers(i: int, batch_size: int) -> np.ndarray:
    """The numbers of the sequences in batch i, int32 `[B]`."""
    return (i * batch_size + np.arange(batch_size)).astype(np.int32)


def numbered(i: int, batch_size: int, key: jax.Array) -> dict[str, np.ndarray]:
    """Batch i as numbers int32 `[B]`, with the data of the typed key that the sequences are drawn by, uint32 `[2]`.

    The key is part of the batch so that trainings which differ in their seed are the same program.
    """
    return {"numbers": numbers(i, batch_size), "key": np.asarray(jax.random.key_data(key))}


def at_lengths(task: Any, key: jax.Array, first: int, last: int, **options: Any) -> Generated:
    """Sequences that serve all lengths from `first` to `last`.

    Where a task has an answer at every step they are all of the length `last`, for their beginnings are sequences, too.
    ListOps, answered at the end alone, gets sequences of up to eight lengths between these two. Options are those of
    `Generated`.
    """
    lengths = np.linspace(max(first, 3), last, 8) if isinstance(task, ListOps) else [last]
    return Generated(task, key, tuple(sorted({round(float(length)) for length in lengths})), **options)


def read_sequence(text: str, task: Any) -> np.ndarray:
    """A sequence as its user writes it: tokens `"1 0 1 1"`, or, where a step has features, `"0.3,1 0.5,0"`.

    Returns:
        int32 `[T]`, or float32 `[T, D]`.

    Raises:
        ValueError: there is nothing, or something that is no token of the task.
    """
    words = text.split()
    tokens = getattr(task, "tokens", 0)
    wanted = f"tokens from 0 to {tokens - 1}" if tokens else f"steps of {task.features} numbers, as in '0.3,1 0.5,0'"
    try:
        if tokens:
            values = np.array([int(word) for word in words], np.int32)
            good = bool(((values >= 0) & (values < tokens)).all())
        else:
            values = np.array([[float(part) for part in word.split(",")] for word in words], np.float32)
            good = values.shape[1:] == (task.features,)
    except ValueError:
        values, good = np.array([]), False
    if not words or not good:
        raise ValueError(f"sequence={text!r}: expected {wanted}, with blanks between them")
    return values


def _filled(values: jax.Array, length: int) -> jax.Array:
    return jnp.pad(values, [(0, length - len(values))] + [(0, 0)] * (values.ndim - 1))
