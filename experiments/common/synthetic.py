"""Training and test data that are drawn where they are used: the n-th sequence is a pure function of (key, n)."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.data import DataError


class Sample(NamedTuple):
    """Sequences of one length, and what is to be predicted of them."""

    inputs: jax.Array
    """int32 `[T, B]`, tokens; or float32 `[T, B, D]`."""
    targets: jax.Array
    """int32 `[T, B]`, classes; or float32 `[T, B]`."""
    mask: jax.Array
    """bool `[T, B]`, the steps whose targets count."""


@dataclasses.dataclass(frozen=True)
class Adding:
    """The sum of the two numbers that are marked, one in each half of the sequence.

    Hochreiter & Schmidhuber 1997, in the form of Le, Jaitly & Hinton 2015, arXiv:1504.00941, section 4.1. Inputs are a
    number from 0 to 1 and a mark; always to predict 1 has a mean squared error of 1/6.
    """

    features: int = 2
    classes: int = 0

    def sample(self, key: jax.Array, batch: int, length: int) -> Sample:
        """Inputs float32 `[T, B, 2]`, T = length ≥ 2; the target of the last step counts.

        Raises:
            ValueError: there are not two steps.
        """
        if length < 2:
            raise ValueError(f"length={length}: expected at least 2 steps, for two marks")
        value_key, first_key, second_key = jax.random.split(key, 3)
        values = jax.random.uniform(value_key, (length, batch))
        first = jax.random.randint(first_key, (batch,), 0, length // 2)
        second = jax.random.randint(second_key, (batch,), length // 2, length)
        steps = jnp.arange(length)[:, None]
        marks = ((steps == first[None]) | (steps == second[None])).astype(jnp.float32)
        sums = jnp.broadcast_to((values * marks).sum(axis=0)[None], (length, batch))
        return Sample(jnp.stack([values, marks], axis=-1), sums, jnp.broadcast_to(steps == length - 1, (length, batch)))


@dataclasses.dataclass(frozen=True, eq=False)
class SampleStream:
    """Sequences without end.

    Attributes:
        task: has `sample(key, batch, length)`.
        key: a typed key.
        lengths: sequence n is drawn at the length `lengths[n % len(lengths)]`; shorter ones are padded to the longest,
            with steps that do not count.
        one_step: only one of the steps that count does, drawn at random: an answer at the end, at random lengths.
        growing: a curriculum: in sequence n only the first steps count, from 3 of them up to all in sequence
            `growing`, with the square of n, for what is to be predicted after few steps takes longest to learn.
    """

    task: Any
    key: jax.Array
    lengths: tuple[int, ...]
    one_step: bool = False
    growing: int = 0

    def __call__(self, indices: jax.Array) -> Sample:
        """The sequences with these indices, int32 `[B]`; any part of a batch is drawn without the others."""
        return jax.vmap(self._one, out_axes=1)(indices)

    def _one(self, index: jax.Array) -> Sample:
        sample_key, step_key = jax.random.split(jax.random.fold_in(self.key, index))
        keys = [jax.random.fold_in(sample_key, length) for length in self.lengths]
        samples = [self.task.sample(key, 1, length) for key, length in zip(keys, self.lengths, strict=True)]
        longest = max(len(sample.inputs) for sample in samples)
        sample = jax.tree.map(
            lambda *leaves: jnp.stack([_padded(leaf[:, 0], longest) for leaf in leaves])[index % len(leaves)], *samples
        )
        if self.growing:
            share = jnp.minimum(index.astype(jnp.float32) / self.growing, 1.0)
            reached = jnp.arange(longest, dtype=jnp.float32) < 3 + share**2 * (longest - 3)
            sample = sample._replace(mask=sample.mask & reached)
        if self.one_step:
            order = jnp.where(sample.mask, jax.random.uniform(step_key, sample.mask.shape), -1.0)
            sample = sample._replace(mask=jnp.arange(longest) == jnp.argmax(order))
        return sample


def batch_indices(i: int, batch_size: int) -> np.ndarray:
    """The indices of the sequences in batch i, int32 `[B]`."""
    return (i * batch_size + np.arange(batch_size)).astype(np.int32)


BATCH_AXES: dict[str, int | None] = {"indices": 0, "key": None}
"""Where the batch is in the arrays of `index_batch`."""


def index_batch(i: int, batch_size: int, key: jax.Array) -> dict[str, np.ndarray]:
    """Batch i as indices int32 `[B]`, with the data of the typed key that the sequences are drawn by, uint32 `[2]`.

    The key is part of the batch so that trainings which differ in their seed are the same program.
    """
    return {"indices": batch_indices(i, batch_size), "key": np.asarray(jax.random.key_data(key))}


def read_sequence(text: str, task: Any) -> np.ndarray:
    """A sequence as its user writes it: tokens `"1 0 1 1"`, or, where a step has features, `"0.3,1 0.5,0"`.

    Returns:
        int32 `[T]`, or float32 `[T, D]`.

    Raises:
        ValueError: there is nothing, or something that is no token of the task.
    """
    words = text.split()
    tokens = getattr(task, "tokens", 0)
    expected = f"tokens from 0 to {tokens - 1}" if tokens else f"steps of {task.features} numbers, as in '0.3,1 0.5,0'"
    try:
        if tokens:
            values = np.array([int(word) for word in words], np.int32)
            valid = bool(((values >= 0) & (values < tokens)).all())
        else:
            numbers = np.array([[float(part) for part in word.split(",")] for word in words])
            with np.errstate(over="ignore"):
                values = numbers.astype(np.float32)
            valid = values.shape[1:] == (task.features,)
            if valid and not np.isfinite(values).all():
                k = int(np.argmin(np.isfinite(values).all(axis=1)))
                raise DataError(f"step {k + 1} is {words[k]!r}: expected finite numbers below 1e38")
    except DataError:
        raise
    except (ValueError, OverflowError):
        values, valid = np.array([]), False
    if not words or not valid:
        raise ValueError(f"sequence={text!r}: expected {expected}, with blanks between them")
    return values


def _padded(values: jax.Array, length: int) -> jax.Array:
    return jnp.pad(values, [(0, length - len(values))] + [(0, 0)] * (values.ndim - 1))
