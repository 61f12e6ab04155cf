"""Small tables by the names of their columns, and what is wrong with one, with its line."""

import pytest

from experiments.common.named_rows import read_named_rows
from rnn_jax.data import DataError


def rows(path, text: str):
    (path / "t.csv").write_text(text)
    return read_named_rows(path / "t.csv", ("file", "words"), ("part",), "file and words")


@pytest.mark.parametrize(
    "text",
    [
        "file,words\na,yes no\nb,no\n",
        "\ufeffWords , FILE\r\nyes no,a\r\n\r\n no ,b",
        "file;words\na;yes no\nb;no",
        'file\twords\na\t"yes no"\n\t\nb\tno\n',
    ],
)
def test_columns_are_found_by_name(tmp_path, text):
    table = rows(tmp_path, text)
    assert sorted(table.columns) == ["file", "words"]
    assert [row for _, row in table.rows] == [{"file": "a", "words": "yes no"}, {"file": "b", "words": "no"}]


def test_lines_are_those_of_the_file(tmp_path):
    table = rows(tmp_path, 'file,words,Part\n\na,"yes\nno",test\nb,no,\n')
    assert [number for number, _ in table.rows] == [4, 5] and table.rows[0][1]["part"] == "test"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,word\na,b\n", "no column 'words': its first line is 'file,word'; expected file and words"),
        ("\n", "no column 'file'"),
        ("file,words,file\na,b,c\n", "two columns are called 'file'"),
        ("file,words\na,yes, no\n", r"line 2: 3 cells, expected 2.*needs quotes"),
        ("file,words\n\na\n", "line 3: 1 cells, expected 2"),
        ('file,words\na,"yes\n', r"line \d: unexpected end of data; quotes"),
    ],
)
def test_mistakes_have_their_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        rows(tmp_path, text)
