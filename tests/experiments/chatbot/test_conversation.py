"""A conversation keeps its last turns, says when it is unsure, and has an answer to any line."""

import jax.numpy as jnp
import pytest
from flax import nnx

import rnn_jax
from experiments.chatbot.batches import TurnTokenizer
from experiments.chatbot.conversation import Conversation, confidence_threshold, make_responder, write_replies
from experiments.chatbot.data import Pair
from experiments.chatbot.model import DualEncoder
from rnn_jax.data import END, Subwords, Words
from rnn_jax.models import EncoderDecoder
from rnn_jax.nnx import Recurrent

TEXTS = ["good day", "bye bye", "who are you", "a network"]


@pytest.fixture(scope="module", params=[Words.fit(TEXTS), Subwords.fit(TEXTS, 40, min_count=1)], ids=["word", "sub"])
def tokenizer(request):
    return TurnTokenizer(request.param, 8)


@pytest.fixture
def conversation(tokenizer):
    contexts = []

    def respond(turns):
        contexts.append(list(turns))
        return f"reply {len(contexts)}", float(len(contexts))

    return Conversation(respond, tokenizer, turns=3, threshold=2.0), contexts


def test_the_last_turns_of_both_sides_are_read(conversation):
    chat, contexts = conversation
    answers = [chat.answer(line) for line in ("good day", "who are you", " a   network ")]
    assert contexts == [["good day"], ["good day", "reply 1", "who are you"], ["who are you", "reply 2", "a network"]]
    assert answers == ["(unsure) reply 1", "reply 2", "reply 3"]
    assert "(unsure) where its score is below 2.000: from there on, at least a third" in chat.about
    chat.threshold = None
    assert chat.answer("bye") == "(unsure) reply 4" and "at no score" in chat.about


def test_any_line_has_an_answer(conversation):
    chat, contexts = conversation
    for empty in ("", "  \t "):
        assert chat.answer(empty) == "(unsure) I have read nothing: please say something."
    for unknown in ("ЖЖЖ", "ЖЖЖ ЩЩ"):
        assert chat.answer(unknown) == "(unsure) I know none of these words."
    assert contexts == [] == chat.history
    assert chat.answer("good day " * 50_000).startswith("(I read only the last 8 of ")
    assert chat.answer("bye") == "reply 2" and len(contexts[1][0]) <= 160
    assert "\n" not in chat.answer("good\x0bday\x85bye")


def test_confidence_is_what_validation_pairs_say():
    pairs = [Pair(("1",), "right!"), Pair(("2",), "wrong"), Pair(("3",), "wrong"), Pair(("4",), "wrong")]
    scores = {"1": 0.5, "2": 0.9, "3": 0.6, "4": 0.4}
    assert confidence_threshold(lambda turns: ("Right.", scores[turns[-1]]), pairs) == 0.5
    assert confidence_threshold(lambda turns: ("right", scores[turns[-1]]), pairs[:3]) == 0.5
    assert confidence_threshold(lambda turns: ("right", scores[turns[-1]]), [*pairs[:2], pairs[3]]) == 0.4
    assert confidence_threshold(lambda turns: ("neither", 1.0), pairs) is None


@pytest.mark.exhaustive(but=1)
def test_models_find_and_write_replies(tokenizer):
    size, rngs = len(tokenizer.tokenizer), nnx.Rngs(0)
    finder = make_responder(DualEncoder(Recurrent(rnn_jax.GRU(8, 4), rngs=rngs), size, rngs=rngs), tokenizer, TEXTS)
    text, score = finder(["who are you"])
    assert text in TEXTS and text != "who are you" and -1 <= score <= 1.0001
    assert finder(TEXTS[:3])[0] == TEXTS[3] and finder([text.upper() for text in TEXTS[:3]])[0] == TEXTS[3]
    writer = make_responder(EncoderDecoder(size, rnn_jax.GRU(4, 4), rnn_jax.GRU(8, 4), rngs=rngs), tokenizer, TEXTS)
    text, score = writer(["who are you", "a network"])
    assert score < 0 and (text, score) == writer(["who are you", "a network"])


class Curt:
    """Would rather end than say anything, then rather say its last token."""

    def __init__(self, size: int):
        self.logits = 4.0 * jnp.eye(size)[END] + jnp.eye(size)[size - 1]

    def encode(self, values, lengths):
        return lengths

    def start(self, memory, steps):
        return memory

    def step(self, memory, carry, token):
        return carry, jnp.broadcast_to(self.logits, (*token.shape, len(self.logits)))


def test_a_reply_has_a_word(tokenizer):
    size = len(tokenizer.tokenizer)
    ((text, score),) = write_replies(Curt(size), tokenizer)([["who are you"]])
    assert text == tokenizer.tokenizer.decode([size - 1]).strip() and score < 0
