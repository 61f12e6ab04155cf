"""Tokens, batches and perplexities of pairs: nothing is scored twice, and padding never."""

import math

import jax
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from experiments.chatbot.data import Pair
from experiments.chatbot.model import PairBatches, TurnTokens, in_parts
from experiments.chatbot.ranking import HeldOut, shared_words
from experiments.chatbot.writing import make_perplexity, ngram_perplexity
from experiments.common.ngram import ngram_nats
from rnn_jax.data import BEGIN, END, Words
from rnn_jax.models import EncoderDecoder
from rnn_jax.nnx import functional

PAIRS = [Pair(("a b", "c"), "b a"), Pair(("c",), "a b c c"), Pair(("b",), "B a!"), Pair(("a a a a a a",), "c")]
TOKENS = TurnTokens(Words.fit(["a b c"], lower=True), 5)
A, B, C = TOKENS.tokenizer.encode("a b c")


def test_contexts_keep_their_end_and_replies_their_begin():
    assert TOKENS.context(("a b", "c")).tolist() == [A, B, END, C, END]
    assert TOKENS.context(("a b c", "b")).tolist() == [B, C, END, B, END]
    assert TOKENS.reply("a b").tolist() == [A, B, END] and TOKENS.reply("a b a b a b").tolist() == [A, B, A, B, A]
    assert TOKENS.reply("").tolist() == [END]


def test_batches_hold_each_pair_and_number_equal_replies():
    batches = PairBatches(PAIRS, TOKENS, 4, seed=0)
    batch = batches.batch(0)
    assert batch["contexts"].shape == (5, 4) and batch["replies"].shape == (5, 4)
    assert sorted(batch["reply_lengths"].tolist()) == [2, 3, 4, 5]
    assert sorted(batch["texts"].tolist()) == [0, 0, 1, 2]
    for name, values in batches.batch(3).items():
        np.testing.assert_array_equal(values, PairBatches(PAIRS, TOKENS, 4, seed=0).batch(3)[name])


def test_perplexity_is_of_every_token_once_and_of_no_padding():
    rngs = nnx.Rngs(0)
    model = EncoderDecoder(8, rnn_jax.GRU(4, 4), rnn_jax.GRU(8, 4), rngs=rngs)
    params, rebuild = functional(model)
    pairs = [(TOKENS.context(pair.context), TOKENS.reply(pair.reply)) for pair in PAIRS]
    batch = PairBatches(PAIRS, TOKENS, 4, seed=0).batch(0)
    inputs = np.concatenate([np.full((1, 4), BEGIN, np.int32), batch["replies"][:-1]])
    logs = np.asarray(jax.nn.log_softmax(jax.jit(model)(batch["contexts"], batch["context_lengths"], inputs)))
    places = [(t, row) for row, length in enumerate(batch["reply_lengths"]) for t in range(length)]
    wanted = math.exp(-np.mean([logs[t, row, batch["replies"][t, row]] for t, row in places]))
    assert len(places) == 14
    np.testing.assert_allclose(make_perplexity(rebuild, 5, rows=3)(params, pairs), wanted, rtol=1e-5)


def test_ngrams_score_the_replies_alone():
    pairs = [(TOKENS.context(pair.context), TOKENS.reply(pair.reply)) for pair in PAIRS]
    text = np.concatenate([[END], *(reply for _, reply in pairs)])
    wanted = math.exp(ngram_nats(text, text, 8, 2))
    np.testing.assert_allclose(ngram_perplexity(pairs, pairs, 8, 2, contexts=False), wanted)
    texts = np.concatenate([[END], *(part for pair in pairs for part in pair)])
    scored = np.concatenate([[False], *(np.full(len(p), s) for pair in pairs for s, p in enumerate(pair))]) == 1
    wanted = math.exp(ngram_nats(texts, texts, 8, 2, scored=scored))
    np.testing.assert_allclose(ngram_perplexity(pairs, pairs, 8, 2, contexts=True), wanted)
    with pytest.raises(ValueError, match=r"expected bool \[.*\], not only"):
        ngram_nats(text, text, 8, 2, scored=np.arange(len(text)) == 0)


def test_the_last_part_is_filled_up():
    parts = in_parts([np.array([4]), np.array([5, 6]), np.array([7])], 2, 3, filler=np.array([8, 8]))
    assert [values.tolist() for values, _ in parts] == [[[4, 5], [0, 6], [0, 0]], [[7, 8], [0, 8], [0, 0]]]
    assert [lengths.tolist() for _, lengths in parts] == [[1, 2], [1, 2]]


def test_ranking_counts_the_candidates_alone():
    pairs = [Pair((f"q{i}",), f"r{i}") for i in range(12)]
    held_out = HeldOut(pairs, count=10, draws=3)
    assert held_out.recalls(np.eye(12)) == {"recall@1": 100, "recall@5": 100}
    np.testing.assert_allclose(held_out.nats(np.zeros((12, 12))), math.log(10))
    np.testing.assert_allclose(held_out.recall(np.zeros((12, 12)), 5), 50)
    assert held_out.recall(-np.eye(12), 5) == 0
    assert "right: 12 of 12" in held_out.examples(np.eye(12)) and "wrong: 12 of 12" in held_out.examples(-np.eye(12))


def test_words_in_common_rank():
    train = [Pair(("what is red",), "a colour"), Pair(("what is a dog",), "an animal")]
    test = [Pair(("what is a dog like",), "animal"), Pair(("colour of red",), "the colour red")]
    words = shared_words(train, test)
    assert words["TF-IDF"][1].argmax() == 1 and words["TF-IDF, nearest pair"][0].argmax() == 0
    np.testing.assert_allclose(words["TF-IDF, both"], words["TF-IDF"] + words["TF-IDF, nearest pair"])
