"""Recordings joined to strings, training batches, and scoring batches."""

import jax
import numpy as np
import pytest

from experiments.common.recordings import Recording, RecordingBatches, in_order, join_recordings

WORDS = ["0", "1", "2"]


def recordings(count: int = 12) -> list[Recording]:
    """Recording number i has 1000 + 10 i samples of the value i + 1."""
    return [
        Recording((np.full(1000 + 10 * i, i + 1, np.float32),), (str(i % 3),), "ab"[i % 2], f"{i}.wav")
        for i in range(count)
    ]


def test_strings_are_of_one_speaker_and_follow_from_the_seed():
    one, same, other = (join_recordings(recordings(), 50, seed, (2, 4)) for seed in (0, 0, 1))
    assert [r.name for r in one] == [r.name for r in same] != [r.name for r in other]
    assert {len(r.words) for r in one} == {2, 3, 4}
    for string in one:
        parts = [recordings()[int(name.removesuffix(".wav"))] for name in string.name.split("+")]
        assert {part.speaker for part in parts} == {string.speaker}
        assert string.words == tuple(part.words[0] for part in parts)
        np.testing.assert_array_equal(string.signal, np.concatenate([part.signal for part in parts]))
    with pytest.raises(ValueError, match="0 recordings"):
        join_recordings([], 1, 0)


def test_training_batches_follow_from_seed_and_number():
    batches, again = (RecordingBatches(recordings(), WORDS, 4, seed=3, group=2, buckets=2) for _ in range(2))
    assert batches.batch(0)["inputs"].shape == batches.batch(1)["inputs"].shape  # of one group
    for i in (5, 0, 3):
        batch = batches.batch(i)
        jax.tree.map(np.testing.assert_array_equal, again.batch(i), batch)
        assert batch["inputs"].dtype == np.float32 and batch["labels"].shape == (4, 1)
        for row, length in enumerate(batch["lengths"]):
            number = int(batch["inputs"][0, row]) - 1
            assert length == 1000 + 10 * number and batch["labels"][row] == number % 3 + 1
            assert not batch["inputs"][length:, row].any()


class Noisy(RecordingBatches):
    def variants(self, rng, recordings):
        return [one.signal + rng.normal(size=len(one.signal)).astype(np.float32) for one in recordings]


def test_what_varies_follows_from_the_seed_too():
    """Of one recording there is one order."""
    one, same, other = (Noisy(recordings(1), WORDS, 2, seed).batch(0)["inputs"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any() and (one[:, 0] != one[:, 1]).any()


def test_scoring_reads_every_recording_once_as_it_is():
    batches = list(in_order(recordings(), WORDS, batch_size=5))
    assert [batch["inputs"].shape for batch in batches] == [(1110, 5), (1110, 5), (1110, 2)]
    assert np.concatenate([batch["lengths"] for batch in batches]).tolist() == [1000 + 10 * i for i in range(12)]
    assert np.concatenate([batch["labels"] for batch in batches]).ravel().tolist() == [1, 2, 3] * 4
    assert next(in_order(recordings()))["labels"].shape == (12, 0)
    with pytest.raises(ValueError, match=r"1\.wav has words that are not in the training part: 1"):
        list(in_order(recordings(), ["0", "2"]))
