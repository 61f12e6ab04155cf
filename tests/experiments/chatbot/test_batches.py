"""Tokens and batches of pairs: nothing is lost but what is too long, and equal replies are numbered alike."""

import numpy as np

from experiments.chatbot.batches import PairBatches, in_parts
from rnn_jax.data import END
from tests.experiments.chatbot.small_pairs import PAIRS, TOKENIZER

A, B, C = TOKENIZER.tokenizer.encode("a b c")


def test_contexts_keep_their_end_and_replies_their_begin():
    assert TOKENIZER.context(("a b", "c")).tolist() == [A, B, END, C, END]
    assert TOKENIZER.context(("a b c", "b")).tolist() == [B, C, END, B, END]
    assert TOKENIZER.reply("a b").tolist() == [A, B, END] and TOKENIZER.reply("a b a b a b").tolist() == [A, B, A, B, A]
    assert TOKENIZER.reply("").tolist() == [END]


def test_batches_hold_each_pair_and_number_equal_replies():
    batches = PairBatches(PAIRS, TOKENIZER, 4, seed=0)
    batch = batches.batch(0)
    assert batch["contexts"].shape == (5, 4) and batch["replies"].shape == (5, 4)
    assert sorted(batch["reply_lengths"].tolist()) == [2, 3, 4, 5]
    assert sorted(batch["texts"].tolist()) == [0, 0, 1, 2]
    for name, values in batches.batch(3).items():
        np.testing.assert_array_equal(values, PairBatches(PAIRS, TOKENIZER, 4, seed=0).batch(3)[name])


def test_the_last_part_is_filled_up():
    parts = in_parts([np.array([4]), np.array([5, 6]), np.array([7])], 2, 3, filler=np.array([8, 8]))
    assert [values.tolist() for values, _ in parts] == [[[4, 5], [0, 6], [0, 0]], [[7, 8], [0, 8], [0, 0]]]
    assert [lengths.tolist() for _, lengths in parts] == [[1, 2], [1, 2]]
