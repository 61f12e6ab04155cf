"""Ranking: candidates are the true reply and others, and they alone are counted."""

import math

import numpy as np
import pytest

from experiments.chatbot.data import Pair, normal_form
from experiments.chatbot.ranking import HeldOut, draw_candidates


def test_candidates_are_the_true_reply_and_others():
    replies = ["a", "b", "B!", "c", "d", "e"]
    pairs = [Pair(("x",), "b"), Pair(("y",), "e")]
    drawn = draw_candidates(pairs, replies, 4, seed=0)
    assert drawn.shape == (2, 4) and normal_form(replies[drawn[0, 0]]) == "b" and drawn[1, 0] == 5
    for row in drawn:
        assert len({normal_form(replies[i]) for i in row}) == 4
    assert np.array_equal(drawn, draw_candidates(pairs, replies, 4, seed=0))
    assert not np.array_equal(drawn, draw_candidates(pairs, replies, 4, seed=1))
    with pytest.raises(ValueError, match=r"5 different replies, .*at least 5 others"):
        draw_candidates(pairs, replies, 6, seed=0)
    with pytest.raises(ValueError, match="missing"):
        draw_candidates([Pair(("x",), "z")], replies, 2, seed=0)


def test_ranking_counts_the_candidates_alone():
    pairs = [Pair((f"q{i}",), f"r{i}") for i in range(12)]
    held_out = HeldOut(pairs, count=10, draws=3)
    assert held_out.recalls(np.eye(12)) == {"recall@1": 100, "recall@5": 100}
    np.testing.assert_allclose(held_out.nats(np.zeros((12, 12))), math.log(10))
    np.testing.assert_allclose(held_out.recall(np.zeros((12, 12)), 5), 50)
    assert held_out.recall(-np.eye(12), 5) == 0
    assert "right: 12 of 12" in held_out.examples(np.eye(12)) and "wrong: 12 of 12" in held_out.examples(-np.eye(12))
