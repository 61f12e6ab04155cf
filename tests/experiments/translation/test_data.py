"""Translations: the size of Multi30k, small files in the same form, and what a file of one's own may hold."""

import pytest

from experiments.translation.data import check_parallel, load_multi30k, load_parallel
from rnn_jax.data import DataError


def test_multi30k(real_data):
    parts = load_multi30k()
    assert [len(source) for source, _ in parts.values()] == [29_000, 1_014, 1_000]
    source, target = parts["train"]
    assert source[0] == "Two young, White males are outside near many bushes."
    assert target[0] == "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."
    assert all(line for pair in parts.values() for lines in pair for line in lines)


def test_translations_stand_line_by_line():
    with pytest.raises(DataError, match="train: 2 lines in one language, 1 in the other"):
        check_parallel(["a", "b"], ["c"], "train")


def test_a_file_is_divided_by_the_number_of_its_lines(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"a {i}\t b {i} \n" for i in range(40)))
    parts = load_parallel(str(path))
    assert {name: len(part.source) for name, part in parts.items()} == {"train": 36, "validation": 2, "test": 2}
    assert parts["validation"] == (["a 18", "a 38"], ["b 18", "b 38"])
    assert parts["test"].target == ["b 19", "b 39"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\n" * 5 + b"only one side\n", r"line 6: 'only one side': expected a sentence, a tab"),
        (b"a\tb\n\na\tb\n", "line 2: ''"),
        (b"a\tb\tc\n", r"line 1: 'a\\tb\\tc'"),
        (b"a\tb\n" * 19, "has 19 lines: expected at least 20"),
        (b"a\t\xff\n" * 30, "not UTF-8: byte 0xff at offset 2"),
        (b"", "empty"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, content, message):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_parallel(str(path))


def test_a_name_that_is_nothing_is_refused():
    with pytest.raises(DataError, match="corpus='multi30' is no file, and not multi30k"):
        load_parallel("multi30")
