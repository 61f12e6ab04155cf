"""The character tokenizer: a bijection on the texts that it knows, a clear refusal of the others."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_jax.data import CharTokenizer


@given(st.text(st.characters(exclude_categories=[]), min_size=1))
def test_round_trip_over_all_of_unicode_and_through_json(text):
    tokenizer = CharTokenizer.fit(text)
    ids = tokenizer.encode(text)
    assert ids.dtype == np.int32 and ids.shape == (len(text),)
    assert set(ids.tolist()) == set(range(len(tokenizer)))
    assert tokenizer.decode(ids) == text
    assert CharTokenizer(json.loads(json.dumps(tokenizer.vocabulary))) == tokenizer


def test_ids_are_places_in_the_sorted_vocabulary_and_decode_takes_any_integers():
    tokenizer = CharTokenizer.fit("banana")
    assert tokenizer.vocabulary == "abn"
    assert tokenizer.encode("nab").tolist() == [2, 0, 1]
    assert tokenizer.encode("").shape == (0,) and tokenizer.decode([]) == ""
    assert tokenizer.decode([2, 0]) == tokenizer.decode(jnp.array([2, 0])) == tokenizer.decode(np.uint8([2, 0])) == "na"


def test_unknown_characters_are_named_with_their_first_positions():
    with pytest.raises(
        ValueError, match=r"2 characters .* among the 3 of the vocabulary: 'z' at position 1, '!' at position 3"
    ):
        CharTokenizer("abn").encode("azb!z")
    with pytest.raises(ValueError, match=r"'\\udce9' at position 0"):  # how a prompt in a wrong encoding arrives
        CharTokenizer("abn").encode("\udce9")


@pytest.mark.parametrize("ids", [[3], [-1], [0.5], [[0, 1]]])
def test_ids_that_are_none_are_refused(ids):
    with pytest.raises(ValueError, match=r"ids (has shape|range from)"):
        CharTokenizer("abn").decode(ids)


@pytest.mark.parametrize("vocabulary", ["", "ba", "aab"])
def test_vocabulary_is_sorted_unique_and_not_empty(vocabulary):
    with pytest.raises(ValueError, match=r"vocabulary=.*CharTokenizer\.fit"):
        CharTokenizer(vocabulary)
