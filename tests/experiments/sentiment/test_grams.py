"""Bags of n-grams: a word is itself and its parts, an unseen word the parts that it shares."""

import json

import numpy as np
import pytest

from experiments.sentiment.grams import CharGrams
from rnn_jax.data import PAD, UNKNOWN

GRAMS = CharGrams.fit(["good goods", "good film"], min_count=2)


def test_a_word_is_itself_and_its_n_grams():
    assert CharGrams((), (3, 4)).parts("good") == ["<good>", "<go", "goo", "ood", "od>", "<goo", "good", "ood>"]
    assert CharGrams(()).parts("a") == ["<a>"] and CharGrams(()).parts("aaaaa").count("aaa") == 1
    assert set(GRAMS.grams) == {"<good>", "<go", "goo", "ood", "od>", "<goo", "good", "ood>", "<good", "good>"}


def test_unseen_words_share_parts_and_others_are_unknown():
    ids = GRAMS.encode("good goo zzz")
    assert ids.dtype == np.int32 and ids.shape == (3, GRAMS.most)
    good, goo, unknown = (set(row.tolist()) - {PAD} for row in ids)
    assert len(good) == 10 and goo < good and len(goo) == 3 and unknown == {UNKNOWN}
    assert GRAMS.encode("").shape == (0, GRAMS.most) and GRAMS.encode("x" * 1000).shape == (1, GRAMS.most)
    assert CharGrams(GRAMS.grams, most=2).encode("good")[0].tolist() == ids[0, :2].tolist()


def test_spans_and_json():
    assert GRAMS.spans("It isn't") == [("It", 0, 1), ("is", 1, 2), ("n't", 2, 3)]
    again = CharGrams.from_json(json.loads(json.dumps(GRAMS.to_json())))
    assert again == GRAMS and len(again) == len(GRAMS) == 14
    assert CharGrams.fit(["Good GOOD"], min_count=2, lower=True).encode("gOOd").max() > UNKNOWN


@pytest.mark.parametrize("text", ["日本語 🎻", "naïve cafe\u0301"])
def test_any_text_is_taken(text):
    fitted = CharGrams.fit([text], min_count=1)
    assert (fitted.encode(text)[:, 0] > UNKNOWN).all()


def test_a_known_pair_is_the_last_one_of_its_second_word():
    texts = ["not good film", "not good at all"]
    paired = CharGrams.fit(texts, min_count=2, pair_count=2)
    plain = CharGrams.fit(texts, min_count=2)
    assert paired.pairs == ("not good",) and len(paired) == len(plain) + 1 and plain.pairs == ()
    ids, before = paired.encode("film not good"), plain.encode("film not good")
    np.testing.assert_array_equal(ids[:2], before[:2])
    count = np.count_nonzero(before[2])
    assert ids[2, :count].tolist() == before[2, :count].tolist() and ids[2, count] == len(paired) - 1
    full = CharGrams(paired.grams, most=2, pairs=paired.pairs).encode("not good")
    assert full[1].tolist() == [ids[2, 0], len(paired) - 1]
    assert CharGrams.from_json(json.loads(json.dumps(paired.to_json()))) == paired
    assert "pairs of words" in paired.in_words() and "pairs" not in json.loads(plain.to_json())
