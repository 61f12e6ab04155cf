"""Words and subwords: what is known comes back as it was, what is not is unknown, and both go through JSON."""

import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_jax.data import BEGIN, END, PAD, UNKNOWN, Subwords, Vocabulary, Words, split_words

TEXT = "Zwei weiße Häuser – two white houses; don't, can't, 3.5 % of O'Brien's! (well-made) “so” -- naïve ..."
WORDS = st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It isn't well-made...", ["It", "is", "n't", "well-made", "..."]),
        ("O'Brien's 3.5/10, can’t", ["O'Brien", "'s", "3.5/10", ",", "ca", "n't"]),
        ("a -- b -lrb-c -rrb- rock'n'roll--ok", ["a", "--", "b", "-lrb-", "c", "-rrb-", "rock'n'roll", "--", "ok"]),
        ("日本 🎻! cafe\u0301", ["日本", "🎻", "!", "café"]),
        ("", []),
        (" \t\n", []),
    ],
)
def test_words_are_cut_as_the_docstring_says(text, words):
    assert split_words(text) == words
    assert split_words(text, lower=True) == [word.lower() for word in words]


@pytest.mark.exhaustive
@given(st.text())
def test_words_keep_every_character_and_are_cut_only_once(text):
    words = split_words(text)
    kept = unicodedata.normalize("NFC", text).replace("’", "'")
    assert "".join(words) == "".join(kept.split())
    assert all(words)


@given(st.lists(st.lists(WORDS, max_size=5), max_size=5))
def test_a_vocabulary_knows_its_words(texts):
    texts = [[word for word in text if not word.startswith("<")] for text in texts]
    vocabulary = Vocabulary.fit(texts)
    assert Vocabulary(json.loads(json.dumps(vocabulary.words))) == vocabulary
    for text in texts:
        ids = vocabulary.encode(text)
        assert ids.dtype == np.int32 and (ids > END).all() and vocabulary.decode(ids) == text
        assert vocabulary.decode([BEGIN, *ids, END, UNKNOWN, PAD]) == text


def test_rare_words_are_unknown_and_frequent_ones_come_first():
    texts = [["b", "b", "a", "c", "a"], ["b", "d", "<pad>"]]
    assert Vocabulary.fit(texts).words == ("b", "a", "c", "d")
    assert Vocabulary.fit(texts, min_count=2).words == ("b", "a")
    assert Vocabulary.fit([["d", "c", "a", "a"], ["e"]]).words == ("a", "c", "d", "e"), "equals in alphabetical order"
    small = Vocabulary.fit(texts, max_size=1)
    assert len(small) == 5 and small.encode(["b", "x", "<end>"]).tolist() == [4, UNKNOWN, UNKNOWN]
    assert small.encode([]).shape == (0,) and small.decode([4, 1]) == ["b", "<unknown>"]


@pytest.mark.parametrize("ids", [[5], [-1], [0.5], [[0, 1]]])
def test_ids_that_are_none_are_refused(ids):
    with pytest.raises(ValueError, match=r"ids (has shape|range from)"):
        Vocabulary(("a",)).decode(ids)


def test_vocabularies_that_cannot_be_are_refused():
    for words in (("a", "a"), ("<pad>",)):
        with pytest.raises(ValueError, match=r"words has .* more than once"):
            Vocabulary(words)
    with pytest.raises(ValueError, match="min_count=0"):
        Vocabulary.fit([], min_count=0)


def test_case_counts_only_where_it_is_kept():
    folded, kept = (Words.fit(["A dog", "a dog"], lower=lower) for lower in (True, False))
    assert folded.encode("A Dog").tolist() == folded.encode("a dog").tolist() and len(folded) == 6
    assert folded.decode(folded.encode("A DOG")) == "a dog"
    assert len(kept) == 7 and kept.encode("A Dog").tolist()[1] == UNKNOWN


def test_words_and_subwords_are_used_alike():
    text = "It isn't two  houses 日本"
    words = Words.fit(["It is n't two", "two"], min_count=1)
    for tokenizer in (words, SUBWORDS):
        again = type(tokenizer).from_json(json.loads(json.dumps(tokenizer.to_json())))
        ids = again.encode(text)
        assert ids.tolist() == tokenizer.encode(text).tolist() and ids.dtype == np.int32
        spans = tokenizer.spans(text)
        assert [start for _, start, _ in spans] == [0] + [end for *_, end in spans[:-1]] and spans[-1][2] == len(ids)
        assert tokenizer.spans("") == [] and tokenizer.encode("").shape == (0,)
        assert UNKNOWN in ids and max(ids) < len(tokenizer)
    assert [word for word, *_ in words.spans(text)] == ["It", "is", "n't", "two", "houses", "日本"]
    assert [word for word, *_ in SUBWORDS.spans("two houses; don't")] == ["two", "houses;", "don't"]
    assert words.decode(words.encode(text)) == "It is n't two <unknown> <unknown>"


SUBWORDS = Subwords.fit([TEXT, "houses " * 5], 70)


@given(st.lists(st.text(sorted(set(TEXT) - {" "}), min_size=1)))
def test_text_of_known_characters_comes_back_from_subwords(words):
    text = " ".join(words)
    ids = SUBWORDS.encode(f" {text}\n")
    assert ids.dtype == np.int32 and not np.isin(ids, [PAD, UNKNOWN, BEGIN, END]).any()
    assert SUBWORDS.decode(ids) == SUBWORDS.decode([BEGIN, *ids, END, PAD]) == unicodedata.normalize("NFC", text)


def test_subwords_are_learned_pieces_of_words():
    assert len(SUBWORDS) <= 70 and SUBWORDS.pieces("two houses") == ["▁", "t", "w", "o", "▁houses"]
    again = Subwords.from_json(json.loads(json.dumps(SUBWORDS.to_json())))
    assert again.encode(TEXT).tolist() == SUBWORDS.encode(TEXT).tolist() and len(again) == len(SUBWORDS)
    assert Subwords.fit([TEXT, "houses " * 5], 70).to_json() == SUBWORDS.to_json()
    lower = Subwords.fit(["abc ABC"], 20, lower=True)
    assert lower.decode(lower.encode("Cab  ▁ C")) == "cab c"
    assert lower.decode(lower.encode("a日<end>")) == "a<unknown><unknown><unknown><unknown><unknown><unknown>"


def test_subwords_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="vocabulary_size=5: expected at least 8, the single characters"):
        Subwords.fit(["abc"], 5)
    with pytest.raises(ValueError, match=r"state is not what Subwords\.to_json returns"):
        Subwords("{}")
    with pytest.raises(ValueError, match="ids range from"):
        SUBWORDS.decode([len(SUBWORDS)])
