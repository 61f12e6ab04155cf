"""Conversations become pairs, parts share no turn, and what is wrong in a file is named by its line."""

import gzip
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.chatbot.data import (
    Pair,
    conversation_pairs,
    load_chatterbot,
    load_conversations,
    normal_form,
    read_conversations,
    split_conversations,
)
from experiments.chatbot.predictor import read_turns
from rnn_jax.data import DataError


def test_every_turn_but_the_first_is_a_reply_once():
    conversations = [["Hi!", "Hello.", "How are you?", "Fine."], ["HI", "hello"], ["Fine.", "Good."]]
    assert conversation_pairs(conversations, turns=2) == [
        Pair(("Hi!",), "Hello."),
        Pair(("Hi!", "Hello."), "How are you?"),
        Pair(("Hello.", "How are you?"), "Fine."),
        Pair(("Fine.",), "Good."),
    ]
    assert normal_form("It's  FINE!") == "it s fine" and normal_form("...") == "..."


turn = st.integers(0, 30).map(lambda i: f"turn {i}" + "?!"[i % 2] * (i % 3))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.lists(turn, min_size=2, max_size=4), min_size=1, max_size=40), st.integers(1, 3))
def test_no_turn_is_in_two_parts_and_no_pair_is_lost(conversations, turns):
    try:
        parts = split_conversations(conversations, turns)
    except DataError as error:
        assert "too few" in str(error)
        return
    texts = [{normal_form(t) for p in pairs for t in (*p.context, p.reply)} for pairs in parts.values()]
    assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])
    assert sorted(pair for pairs in parts.values() for pair in pairs) == sorted(
        conversation_pairs(conversations, turns)
    )
    assert parts == split_conversations(conversations, turns)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\nc\n", "line 2: no tab in 'c'; expected what is said"),
        (b"a\tb\n\nc\td\n", "line 2: no tab"),
        (b"a\tb\nc\t \n", "line 2: column 2 of 2 is empty"),
        (b"a\t\tb\n", "line 1: column 2 of 3 is empty"),
        (b"a\tb\n\0\tc", "zero byte at offset 4: it is no text"),
        (b"", "is empty"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, content, message):
    (tmp_path / "own.tsv").write_bytes(content)
    with pytest.raises(DataError, match=re.escape(message)):
        read_conversations(tmp_path / "own.tsv")


def test_own_conversations(tmp_path):
    (tmp_path / "own.tsv").write_text("Hi\t Hello \tBye\r\nWho?\tMe\n")
    assert load_conversations(str(tmp_path / "own.tsv")).conversations == [["Hi", "Hello", "Bye"], ["Who?", "Me"]]
    with pytest.raises(DataError, match=r"'nowhere.tsv' is no file, and not the corpus"):
        load_conversations("nowhere.tsv")


def test_dialogues_from_the_index():
    try:
        conversations = load_chatterbot()
    except DataError as error:
        if "could not be downloaded" not in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert conversations[0][0] == "What is AI?" and len(conversations) == 2_025
    assert sum(len(turns) - 1 for turns in conversations) == 2_306
    assert all(turn and turn.strip() == turn for turns in conversations for turn in turns)


def test_what_was_read_is_said(tmp_path):
    (tmp_path / "own.tsv").write_bytes(gzip.compress("Hé\tBye\nWho?\tMe\tYes\nhé!\tbye.\n".encode("latin-1")))
    conversations, said = load_conversations(str(tmp_path / "own.tsv"))
    assert conversations[0] == ["Hé", "Bye"]
    assert said[0].endswith("own.tsv: 3 conversations, 7 turns, 3 at most (cp1252, gzip)")
    assert said[1] == "repeated: 1 conversations are as an earlier one, but for case and punctuation"
    assert said[2].startswith("note: the file is not UTF-8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("turns.tsv", "is the lamp pink?\nyes.\tand  the boat?\n"),
        ("turns.csv", "id,text,note\n1,is the lamp pink?,a\n2,yes.\tand the boat?,b\n"),
        ("turns.jsonl", '{"id": 1, "text": "is the lamp pink?"}\n{"id": 2, "text": "yes.\\tand the boat?"}\n'),
    ],
)
def test_what_is_said_stands_in_lines_tables_and_json(tmp_path, name, text):
    (file := tmp_path / name).write_text(text)
    assert [item.value for item in read_turns(str(file))] == [("is the lamp pink?",), ("yes.", "and the boat?")]
