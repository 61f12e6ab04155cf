"""Texts: every way in which a user's own file can be wrong."""

import pytest

from rnn_jax.data import DataError, read_lines, read_text, split
from rnn_jax.data.text import split_lines


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


def test_only_a_line_feed_ends_a_line():
    assert split_lines("a\x85b\nc \n") == ["a\x85b", "c"]


def test_the_lines_of_a_stream_are_text_and_a_wrong_byte_is_named():
    assert list(read_lines([b"a\r\n", b"\n", "é\x85b".encode()])) == ["a", "", "é\x85b"]
    lines = read_lines([b"good\n", b"na\xefve\n"], "own.txt")
    assert next(lines) == "good"
    with pytest.raises(DataError, match=r"own\.txt, line 2: byte 0xef is not UTF-8"):
        next(lines)
