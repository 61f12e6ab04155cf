"""Parallel texts: batches that lose no pair and no token."""

import numpy as np

from rnn_jax.data.parallel import ParallelBatches, teacher_forcing

BEGIN, END = 2, 3


def arrays(side):
    return [np.array(tokens, np.int32) for tokens in side]


def test_a_target_is_fed_one_step_late_and_ends():
    batch = teacher_forcing(arrays([[5, 6], [7]]), arrays([[8], [4, 9]]), 4)
    np.testing.assert_array_equal(batch["source"].T, [[5, 6, 0, 0], [7, 0, 0, 0]])
    np.testing.assert_array_equal(batch["source_lengths"], [2, 1])
    np.testing.assert_array_equal(batch["inputs"].T, [[BEGIN, 8, END, 0], [BEGIN, 4, 9, END]])
    np.testing.assert_array_equal(batch["targets"].T, [[8, END, 0, 0], [4, 9, END, 0]])
    np.testing.assert_array_equal(batch["target_lengths"], [2, 3])


def test_training_batches_hold_pairs_that_belong_together():
    random = np.random.default_rng(0)
    sources = [random.integers(4, 9, n).astype(np.int32) for n in random.integers(1, 12, 50)]
    batches = ParallelBatches(sources, [s[::-1] for s in sources], 8, seed=1, group=2, buckets=2)
    for i in range(20):
        batch, again = batches.batch(i), batches.batch(i)
        assert all(np.array_equal(batch[name], again[name]) for name in batch)
        for b in range(8):
            source = batch["source"][: batch["source_lengths"][b], b]
            np.testing.assert_array_equal(batch["targets"][: len(source), b], source[::-1])
