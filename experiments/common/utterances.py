"""Recordings as batches: shuffled, varied and of few shapes for training; as they are, in their order, for scoring."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from experiments.common.speech_data import Recording
from rnn_jax.data.augment import longest_variant, vary_wave
from rnn_jax.data.batches import BucketBatches
from rnn_jax.data.padding import pad

BATCH_AXES: dict[str, int | None] = {"inputs": 1, "lengths": 0, "labels": 0, "counts": 0}
"""Which axis of each array of a batch is the batch."""


@dataclasses.dataclass(frozen=True, eq=False)
class Utterances:
    """Endless training batches of recordings, batch i a pure function of (seed, i).

    Attributes:
        recordings: what is said.
        words: the vocabulary; the label of words[k] is k + 1, for 0 is the blank of CTC.
        batch_size: B.
        seed: non-negative.
        group: batches in a row that share a shape.
        buckets: how many shapes there are, at most.
        variation: of the samples, see `vary_wave`; 0 for features, which stay as they are.
    """

    recordings: Sequence[Recording]
    words: Sequence[str]
    batch_size: int
    seed: int
    group: int = 1
    buckets: int = 3
    variation: float = 1.0

    @functools.cached_property
    def order(self) -> BucketBatches:
        """Which recordings are in which batch."""
        longest = np.array([self.longest(recording) for recording in self.recordings])
        return BucketBatches(longest, self.batch_size, self.seed, self.group, self.buckets)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """Batch i: inputs `[S, B]` or `[T, B, D]`, lengths int32 `[B]`, labels int32 `[B, N]`, counts int32 `[B]`."""
        chosen, length = self.order.examples(i)
        rng = np.random.default_rng([self.seed, i])
        recordings = [self.recordings[k] for k in chosen]
        return _batch(self.variants(rng, recordings), recordings, self.words, length, self._most_words)

    def variants(self, rng: np.random.Generator, recordings: Sequence[Recording]) -> list[np.ndarray]:
        """What training reads of some recordings this time."""
        return [np.concatenate([vary_wave(rng, wave, self.variation) for wave in r.waves]) for r in recordings]

    def longest(self, recording: Recording) -> int:
        """The most steps that a variant of a recording has."""
        return sum(longest_variant(len(wave), self.variation) for wave in recording.waves)

    @functools.cached_property
    def _most_words(self) -> int:
        return max(len(r.words) for r in self.recordings)


def in_parts(
    recordings: Sequence[Recording], words: Sequence[str], batch_size: int = 100
) -> Iterator[dict[str, np.ndarray]]:
    """All recordings once, in their order, in batches as `Utterances` makes them, padded to one length."""
    length = max(sum(len(w) for w in r.waves) for r in recordings)
    most = max(len(r.words) for r in recordings)
    for start in range(0, len(recordings), batch_size):
        part = recordings[start : start + batch_size]
        yield _batch([r.wave for r in part], part, words, length, most)


def _batch(
    inputs: list[np.ndarray], recordings: Sequence[Recording], words: Sequence[str], length: int, most: int
) -> dict[str, np.ndarray]:
    values, lengths = pad(inputs, length)
    for recording in recordings:
        if unknown := set(recording.words) - set(words):
            raise ValueError(f"{recording.name} has words that are not in the training part: {', '.join(unknown)}")
    labels = [np.array([words.index(word) + 1 for word in r.words], np.int32) for r in recordings]
    padded = pad(labels, most)
    return {"inputs": values, "lengths": lengths, "labels": padded.values.T, "counts": padded.lengths}
