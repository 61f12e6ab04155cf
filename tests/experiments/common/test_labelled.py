"""The user's own labelled texts: every form of table, which columns are meant, and every way to be wrong."""

import gzip

import numpy as np
import pytest

from experiments.common.labelled import odd_classes, read_labelled, split_labelled
from experiments.common.text import normal_form
from rnn_jax.data import DataError

WANTED = ['so "fine", it\'s', "no"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.tsv", 'good\tso "fine", it\'s\nbad\tno\n'),
        ("rows.txt", '\ufeffgood\tso "fine", it\'s\r\nbad\tno\r\n'),
        ("header.tsv", 'n\tText\tlabel\n1\tso "fine", it\'s\tgood\n2\tno\tbad'),
        ("header.csv", 'label,text,other\ngood,"so ""fine"", it\'s",x\nbad, no ,y\n\n,,\n'),
        ("rows.csv", 'good,"so ""fine"", it\'s"\nbad,no\n'),
        ("semicolons.csv", 'sentiment;review\ngood;"so ""fine"", it\'s"\nbad;no\n'),
        ("quoted.tsv", 'tweet\tpolarity\n"so ""fine"", it\'s"\tgood\nno\tbad\n'),
        ("tabs.csv", 'stars\tbody\ngood\tso "fine", it\'s\nbad\tno\n'),
        ("old.csv", 'good,"so ""fine"", it\'s"\rbad,no\r'),
    ],
)
def test_labels_and_texts_are_read_as_they_stand(tmp_path, name, content):
    (tmp_path / name).write_text(content, "utf-8", newline="")
    texts, labels, classes, said = read_labelled(tmp_path / name)
    assert texts == WANTED and labels.tolist() == [1, 0] and classes == ["bad", "good"]
    assert "2 rows" in said[0] and "classes: bad 1, good 1" in said


def rows(count: int = 40, header: str = "", swapped: bool = False, classes=("neg", "pos")) -> str:
    """Texts and labels in a comma-separated table."""
    pairs = [(classes[i % len(classes)], f"film {i} was seen") for i in range(count)]
    return "\n".join([header] * bool(header) + [f"{t},{label}" if swapped else f"{label},{t}" for label, t in pairs])


@pytest.mark.parametrize(
    ("content", "flags"),
    [
        (rows(header="sentiment,review"), {}),
        (rows(header="review,sentiment", swapped=True), {}),
        (rows(header="Comment,Target", swapped=True), {}),
        (rows(), {}),
        (rows(swapped=True), {}),
        (rows(header="opinion,verdict", swapped=True), {"text_column": "opinion", "label_column": "verdict"}),
        (rows(header="opinion,verdict", swapped=True), {"label_column": "verdict"}),
        (rows(swapped=True), {"label_column": "2"}),
    ],
)
def test_a_header_is_no_text_and_columns_are_told_apart(tmp_path, content, flags):
    (tmp_path / "a.csv").write_text(content)
    read = read_labelled(tmp_path / "a.csv", **flags)
    assert read.classes == ["neg", "pos"] and len(read.texts) == 40 and read.texts[3] == "film 3 was seen"
    assert read.labels.tolist() == [0, 1] * 20


def test_a_class_may_be_called_as_a_column(tmp_path):
    (tmp_path / "a.csv").write_text(rows(classes=("comment", "review")))
    read = read_labelled(tmp_path / "a.csv")
    assert read.classes == ["comment", "review"] and len(read.texts) == 40


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        (
            rows(header="opinion,verdict", swapped=True),
            {},
            "line 1: 'verdict' is in no other row. If the line is",
        ),
        (rows(header="opinion,verdict", swapped=True), {"label_column": "verdikt"}, "did you mean 'verdict'"),
        (rows(header="label,text", swapped=True), {}, "40 classes in 40 rows, such as 'film 0 was seen'"),
        (
            rows(header="label,text"),
            {"text_column": "text", "label_column": "text"},
            "cannot have both texts and labels",
        ),
        (rows(header="a,b"), {"text_column": "2", "label_column": "1"}, "line 1: 'a' is in no other row"),
        (rows(classes=tuple("abcde")), {}, "5 classes in 40 rows.*expected at most a tenth.*--label-column"),
        ("a,b,c\n" * 20, {}, "3 columns, expected 2, or a header"),
        (rows(header="label,text") + "\n" + rows(header="label,text"), {}, "line 42: the header stands here once more"),
        ('{"text": "fine", "label": "pos"}\n' * 20, {}, r"is JSON: expected a table; pandas\.read_json"),
        ("id,text,label,x\n" + "1,so,pos,2\n" * 20, {}, r"20 rows with the labels \['pos'\]"),
        ("id,text,mood\n" + "1,so,pos\n" * 20, {}, "no column 'label', nor another name.*--label-column NAME"),
        ('label,text\npos,"fine\nneg,bad\npos,good"\nneg,no\n', {}, "line 2: its text in quotes goes on over line 3"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path, content, flags, message):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_labelled(tmp_path / "a.csv", **flags)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "label\tn\ngood\t1\n", r"a\.tsv, line 1: the header .* has no column 'text'"),
        ("a.csv", "text,n\nfine,1\n", "line 1: the header .* has no column 'label'"),
        ("a.tsv", "good\tfine\nbad no\n", "line 2: 1 columns, expected 2: 'bad no'"),
        ("a.csv", "good,fine\nbad,no,matter\n", "line 2: 3 columns, expected 2"),
        ("a.tsv", "good\tfine\n\nbad\tno\n", "line 2: the line is empty"),
        ("a.tsv", "", "is empty"),
        ("a.tsv", "\n\n", "no rows"),
        ("a.tsv", "good\tfine\nbad\t  \n", "line 2: the text is empty"),
        ("a.tsv", "good\tfine\n\tno\n", "line 2: the label is empty"),
        ("a.csv", 'good,fine\nbad,"no\n', "line 2: unexpected end of data"),
        ("a.tsv", "good\tfine\ngood\tyes\n", r"2 rows with the labels \['good'\]: expected at least two"),
        ("b.tsv", None, "cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_labelled(tmp_path / name)


def test_a_model_knows_its_classes(tmp_path):
    (tmp_path / "a.csv").write_text("a fine film,praise\na bad film,blame\na film,praise\n")
    read = read_labelled(tmp_path / "a.csv", known=["blame", "praise", "none"])
    assert read.labels.tolist() == [1, 0, 1] and read.texts[0] == "a fine film"
    (tmp_path / "a.csv").write_text("praise,fine\nhate,bad\n")
    with pytest.raises(DataError, match="line 2: label 'hate' is none of the model's, blame, praise"):
        read_labelled(tmp_path / "a.csv", known=["blame", "praise"])


def test_cells_in_quotes_have_empty_lines(tmp_path):
    table = "label,text\n" + "".join(f'{"ab"[i % 2]},"film {i}\n\nSecond paragraph."\n' for i in range(30))
    (tmp_path / "a.txt").write_bytes(gzip.compress(table.encode("utf-16")))
    read = read_labelled(tmp_path / "a.txt")
    assert len(read.texts) == 30 and read.texts[2] == "film 2\n\nSecond paragraph."
    assert "UTF-16, gzip, commas" in read.said[0]


def test_odd_classes_are_said(tmp_path):
    (tmp_path / "a.csv").write_text(rows(header="label,text", classes=("Positive", "negative", "positive", "nan")))
    said = "\n".join(read_labelled(tmp_path / "a.csv").said)
    assert "note: the classes 'Positive' and 'positive' differ in case or blanks only" in said
    assert "note: 10 rows have the label 'nan'" in said
    assert odd_classes(["a", "b"]) == []


def test_equal_texts_stay_together_and_rare_classes_are_said(tmp_path):
    content = "label,text\n" + "".join(f"{'ab'[i % 2]},Film {i}!\n" for i in range(40)) * 2
    content += "".join(f"{'ab'[i % 2]},film  {i}\n" for i in range(40)) + "b,film 0\nrare,only once\n"
    (tmp_path / "a.csv").write_text(content)
    read = read_labelled(tmp_path / "a.csv")
    parts, said = split_labelled(read)
    forms = [{normal_form(read.texts[i]) for i in part} for part in parts.values()]
    assert sum(map(len, forms)) == 41
    for name, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        assert abs(np.isin(read.labels[parts[name]], 0).sum() - share * 60) <= 3
    said = "\n".join(said)
    assert "repeated: 81 texts are as an earlier one" in said and "note: 1 different texts have more than one" in said
    assert "note: class 'rare' has 1 texts, 1 in train, 0 in validation, 0 in test: too few" in said


def test_long_texts_are_read_and_parts_are_apart(tmp_path):
    long = "word " * 100_000
    table = [f'{"good" if i % 2 else "bad"},"{i} {long if i == 3 else ""}"' for i in range(25)]
    (tmp_path / "a.csv").write_text("\n".join(table))
    data = read_labelled(tmp_path / "a.csv")
    assert len(data.texts[3].split()) == 100_001
    parts, said = split_labelled(data)
    assert {name: len(places) for name, places in parts.items()} == {"train": 21, "validation": 2, "test": 2}
    assert "longest: 100,001 words" in "\n".join(said)
    with pytest.raises(DataError, match="9 labelled texts: expected at least 10"):
        split_labelled(data._replace(texts=data.texts[:9], labels=np.zeros(9, np.int32)))
