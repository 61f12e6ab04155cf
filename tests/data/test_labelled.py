"""The user's own labelled texts: both forms of file, and every way in which one can be wrong."""

import numpy as np
import pytest

from rnn_jax.data import DataError, read_labelled, split_labelled


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.tsv", 'good\tso "fine", it\'s\nbad\tno\n'),
        ("rows.txt", '\ufeffgood\tso "fine", it\'s\r\nbad\tno\r\n'),
        ("header.tsv", 'n\tText\tlabel\n1\tso "fine", it\'s\tgood\n2\tno\tbad'),
        ("header.csv", 'label,text,other\ngood,"so ""fine"", it\'s",x\nbad, no ,y\n'),
        ("rows.csv", 'good,"so ""fine"", it\'s"\nbad,no\n'),
    ],
)
def test_labels_and_texts_are_read_as_they_stand(tmp_path, name, content):
    (tmp_path / name).write_text(content, "utf-8", newline="")
    texts, labels, classes = read_labelled(tmp_path / name)
    assert texts == ['so "fine", it\'s', "no"] and labels.tolist() == [1, 0] and classes == ["bad", "good"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "label\tn\ngood\t1\n", r"a\.tsv, line 1: the header .* has no column 'text'"),
        ("a.csv", "text,n\nfine,1\n", "line 1: the header .* has no column 'label'"),
        ("a.tsv", "good\tfine\nbad no\n", "line 2: 1 columns, expected 2: 'bad no'"),
        ("a.csv", "good,fine\nbad,no,matter\n", "line 2: 3 columns, expected 2"),
        ("a.tsv", "good\tfine\n\nbad\tno\n", "line 2: the line is empty"),
        ("a.tsv", "", "is empty"),
        ("a.tsv", "good\tfine\nbad\t  \n", "line 2: the text is empty"),
        ("a.tsv", "good\tfine\n\tno\n", "line 2: the label is empty"),
        ("a.tsv", b"good\tfine\nbad\tna\xefve\n", r"not UTF-8: byte 0xef at offset 16, line 2\..*iconv"),
        ("a.csv", 'good,fine\nbad,"no\n', "line 2: unexpected end of data"),
        ("a.tsv", "good\tfine\ngood\tyes\n", r"2 rows with the labels \['good'\]: expected at least two"),
        ("b.tsv", None, "cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        read_labelled(tmp_path / name)


def test_long_texts_are_read_and_parts_are_apart(tmp_path):
    long = "word " * 100_000
    rows = [f'{"good" if i % 2 else "bad"},"{i} {long if i == 3 else ""}"' for i in range(25)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    data = read_labelled(tmp_path / "a.csv")
    assert len(data.texts[3].split()) == 100_001
    parts = split_labelled(data)
    assert {name: len(texts) for name, (texts, _) in parts.items()} == {"validation": 2, "test": 2, "train": 21}
    assert sorted(text for texts, _ in parts.values() for text in texts) == sorted(data.texts)
    for texts, labels in parts.values():
        assert [int(text.split()[0]) % 2 for text in texts] == labels.tolist()
    with pytest.raises(DataError, match="9 labelled texts: expected at least 10"):
        split_labelled(data._replace(texts=data.texts[:9], labels=np.zeros(9, np.int32)))
