"""Recordings of speech or of a pen with their words, and batches of them: shuffled for training, in order for scoring.

The batches of both are `{"inputs": [S, B] or [T, B, D], "lengths": [B], "labels": [B, N], "counts": [B]}`.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from rnn_jax.data.batches import BucketBatches
from rnn_jax.data.padding import pad

PARTS = ("training", "validation", "test")
BATCH_AXES: dict[str, int | None] = {"inputs": 1, "lengths": 0, "labels": 0, "counts": 0}
"""Which axis of each array of a batch is the batch."""


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """What somebody said, or wrote.

    Attributes:
        segments: float32 samples `[S]`, features `[t, D]`, or points of a pen's stroke `[n, 2]`; several where
            recordings are joined, or a drawing has several strokes.
        words: its transcript.
        speaker: who says it; empty where it is not known.
        name: of the file or files.
    """

    segments: tuple[np.ndarray, ...]
    words: tuple[str, ...]
    speaker: str = ""
    name: str = ""

    @property
    def signal(self) -> np.ndarray:
        """All segments as one, float32 `[S]` or `[t, D]`."""
        return np.concatenate(self.segments)


def join_recordings(
    recordings: Sequence[Recording], count: int, seed: int, words: tuple[int, int] = (3, 7)
) -> list[Recording]:
    """Strings of words: recordings of one speaker, drawn and joined end to end without a pause.

    Args:
        recordings: to draw from.
        count: how many strings.
        seed: of the draws; the strings are a pure function of the recordings and the seed.
        words: the fewest and the most recordings in a string, all numbers between equally likely.

    Raises:
        ValueError: there are no recordings, or the numbers are out of range.
    """
    if not recordings or count < 1 or not 1 <= words[0] <= words[1]:
        raise ValueError(
            f"{len(recordings)} recordings, count={count}, words={words}: expected at least one of each, in order"
        )
    speakers = sorted({recording.speaker for recording in recordings})
    by_speaker = {speaker: [r for r in recordings if r.speaker == speaker] for speaker in speakers}
    rng = np.random.default_rng([seed, count, *words])
    strings = []
    for _ in range(count):
        own = by_speaker[speakers[rng.integers(len(speakers))]]
        drawn = [own[i] for i in rng.integers(len(own), size=rng.integers(words[0], words[1] + 1))]
        segments, transcript = (tuple(x for r in drawn for x in getattr(r, field)) for field in ("segments", "words"))
        strings.append(Recording(segments, transcript, drawn[0].speaker, "+".join(r.name for r in drawn)))
    return strings


@dataclasses.dataclass(frozen=True, eq=False)
class RecordingBatches:
    """Endless training batches of recordings, batch i a pure function of (seed, i).

    Attributes:
        recordings: with their words.
        words: the vocabulary; the label of words[k] is k + 1, for 0 is the blank of CTC.
        batch_size: B.
        seed: non-negative.
        group: batches in a row that share a shape.
        buckets: how many shapes there are, at most.
    """

    recordings: Sequence[Recording]
    words: Sequence[str]
    batch_size: int
    seed: int
    group: int = 1
    buckets: int = 3

    @functools.cached_property
    def order(self) -> BucketBatches:
        """Which recordings are in which batch."""
        longest = np.array([self.longest(recording) for recording in self.recordings])
        return BucketBatches(longest, self.batch_size, self.seed, self.group, self.buckets)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """Batch i; its lists of labels are padded to one length for all batches."""
        chosen, length = self.order.examples(i)
        rng = np.random.default_rng([self.seed, i])
        recordings = [self.recordings[k] for k in chosen]
        return _batch(self.variants(rng, recordings), recordings, self.words, length, self._most_words)

    def variants(self, rng: np.random.Generator, recordings: Sequence[Recording]) -> list[np.ndarray]:
        """What training reads of some recordings this time: as they are, where no subclass varies them."""
        return [recording.signal for recording in recordings]

    def longest(self, recording: Recording) -> int:
        """The most steps that a variant of a recording has."""
        return sum(len(segment) for segment in recording.segments)

    @functools.cached_property
    def _most_words(self) -> int:
        return max(len(r.words) for r in self.recordings)


def in_order(
    recordings: Sequence[Recording], words: Sequence[str] | None = None, batch_size: int = 100
) -> Iterator[dict[str, np.ndarray]]:
    """All recordings once, in their order, in batches padded to one length.

    Args:
        recordings: at least one.
        words: the vocabulary; without one, there are no labels in the batches.
        batch_size: recordings at once; the last batch may have fewer.

    Raises:
        ValueError: a recording has words that are not in the vocabulary.
    """
    if words is None:
        recordings, words = [dataclasses.replace(r, words=()) for r in recordings], ()
    length = max(sum(len(segment) for segment in r.segments) for r in recordings)
    most = max(len(r.words) for r in recordings)
    for start in range(0, len(recordings), batch_size):
        part = recordings[start : start + batch_size]
        yield _batch([r.signal for r in part], part, words, length, most)


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
