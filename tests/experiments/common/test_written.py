"""What others get to know of tokens and of what was written is all that it takes to do the same."""

import json
import re
import unicodedata

import jax
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from experiments.common.text_items import tokenizer_in_words
from experiments.common.written import make_target_nats
from rnn_jax.data import Subwords, Words, teacher_forcing
from rnn_jax.models import EncoderDecoder, target_nats

TEXTS = ["It's a well-made film, isn't it?", "Ein roter Hund ... und 3.5 Katzen", "Cafe\u0301 -lrb- no -rrb-"]


@pytest.mark.parametrize("lower", [False, True])
def test_words_are_cut_by_what_is_said_of_them(lower):
    words = Words.fit(TEXTS[:2], lower=lower)
    told = json.loads(json.dumps(tokenizer_in_words(words)))
    blank = re.compile(told["a blank is put where this matches"], re.IGNORECASE)
    word = re.compile(told["a word is what this matches"], re.IGNORECASE)
    known = [*told["specials"], *told["words"]]
    for text in TEXTS:
        tidied = unicodedata.normalize("NFC", text.lower() if told["lower"] else text).replace("\u2019", "'")
        found = word.findall(blank.sub(" ", tidied))
        assert [known.index(one) if one in known else 1 for one in found] == words.encode(text).tolist()


def test_subwords_are_told_in_their_own_format():
    subwords = Subwords.fit(TEXTS, 60)
    told = json.loads(json.dumps(tokenizer_in_words(subwords)))
    assert told.pop("format").startswith("tokenizer.json")
    assert Subwords(json.dumps(told)).encode(TEXTS[0]).tolist() == subwords.encode(TEXTS[0]).tolist()


@pytest.mark.exhaustive
def test_nats_of_targets_are_those_of_each_alone():
    model = EncoderDecoder(9, rnn_jax.GRU(4, 4), rnn_jax.GRU(8, 4), rngs=nnx.Rngs(0))
    rng = np.random.default_rng(0)
    sources, targets = ([rng.integers(4, 9, n).astype(np.int32) for n in lengths] for lengths in ((2, 7, 3), (1, 4, 6)))
    ended = [np.append(target, 3).astype(np.int32) for target in targets]
    nats = make_target_nats(lambda **arrays: model(**arrays))(sources, ended)
    for source, target, value in zip(sources, targets, nats, strict=True):
        alone, count = target_nats(model, teacher_forcing([source], [target]))
        assert value == pytest.approx(float(jax.device_get(alone)), rel=1e-5) and count == len(target) + 1
