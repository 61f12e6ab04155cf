"""A conversation keeps its last turns, says when it is unsure, and has an answer to any line."""

import pytest
from flax import nnx

import rnn_jax
from experiments.chatbot.chat import Chat, make_respond, sure_from
from experiments.chatbot.data import Pair
from experiments.chatbot.dual_encoder import DualEncoder
from experiments.chatbot.model import TurnTokens
from rnn_jax.data import Subwords, Words
from rnn_jax.models import EncoderDecoder
from rnn_jax.nnx import Recurrent

TEXTS = ["good day", "bye bye", "who are you", "a network"]


@pytest.fixture(scope="module", params=[Words.fit(TEXTS), Subwords.fit(TEXTS, 40, min_count=1)], ids=["word", "sub"])
def tokens(request):
    return TurnTokens(request.param, 8)


@pytest.fixture
def conversation(tokens):
    heard = []

    def respond(turns):
        heard.append(list(turns))
        return f"reply {len(heard)}", float(len(heard))

    return Chat(respond, tokens, turns=3, sure=2.0), heard


def test_the_last_turns_of_both_sides_are_read(conversation):
    chat, heard = conversation
    answers = [chat.answer(line) for line in ("good day", "who are you", " a   network ")]
    assert heard == [["good day"], ["good day", "reply 1", "who are you"], ["who are you", "reply 2", "a network"]]
    assert answers == ["(unsure) reply 1", "reply 2", "reply 3"]
    assert "(unsure) where its score is below 2.000: from there on, at least a third" in chat.about
    chat.sure = None
    assert chat.answer("bye") == "(unsure) reply 4" and "at no score" in chat.about


def test_any_line_has_an_answer(conversation):
    chat, heard = conversation
    for empty in ("", "  \t "):
        assert chat.answer(empty) == "(unsure) I have read nothing: please say something."
    for unknown in ("ЖЖЖ", "ЖЖЖ ЩЩ"):
        assert chat.answer(unknown) == "(unsure) I know none of these words."
    assert heard == [] == chat.history
    assert chat.answer("good day " * 50_000).startswith("(I read only the last 8 of ")
    assert chat.answer("bye") == "reply 2" and len(heard[1][0]) <= 160
    assert "\n" not in chat.answer("good\x0bday\x85bye")


def test_confidence_is_what_validation_pairs_say():
    pairs = [Pair(("1",), "right!"), Pair(("2",), "wrong"), Pair(("3",), "wrong"), Pair(("4",), "wrong")]
    scores = {"1": 0.5, "2": 0.9, "3": 0.6, "4": 0.4}
    assert sure_from(lambda turns: ("Right.", scores[turns[-1]]), pairs) == 0.5
    assert sure_from(lambda turns: ("right", scores[turns[-1]]), pairs[:3]) == 0.5
    assert sure_from(lambda turns: ("right", scores[turns[-1]]), [*pairs[:2], pairs[3]]) == 0.4
    assert sure_from(lambda turns: ("neither", 1.0), pairs) is None


def test_models_find_and_write_replies(tokens):
    size, rngs = len(tokens.tokenizer), nnx.Rngs(0)
    finder = make_respond(DualEncoder(Recurrent(rnn_jax.GRU(8, 4), rngs=rngs), size, rngs=rngs), tokens, TEXTS)
    text, score = finder(["who are you"])
    assert text in TEXTS and text != "who are you" and -1 <= score <= 1.0001
    assert finder(TEXTS[:3])[0] == TEXTS[3] and finder([text.upper() for text in TEXTS[:3]])[0] == TEXTS[3]
    writer = make_respond(EncoderDecoder(size, rnn_jax.GRU(4, 4), rnn_jax.GRU(8, 4), rngs=rngs), tokens, TEXTS)
    text, score = writer(["who are you", "a network"])
    assert score < 0 and (text, score) == writer(["who are you", "a network"])
