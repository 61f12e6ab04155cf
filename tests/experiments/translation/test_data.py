"""Translations: the size of Multi30k, small files in the same form, and what a file of one's own may hold."""

import gzip

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


def pairs(count: int = 60, times: int = 1, columns: str = "", ends: str = ".!?") -> str:
    return "".join(
        f"the cat {i} eats.\tdie Katze {i} isst{ends[k]}{columns}\n" for i in range(count) for k in range(times)
    )


def test_a_file_is_divided_at_random(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"a {i}\t b {i} \n" for i in range(40)))
    parts, said = load_parallel(str(path))
    assert {name: len(part.source) for name, part in parts.items()} == {"train": 36, "validation": 2, "test": 2}
    assert all(s[2:] == t[2:] and s[0] + t[0] == "ab" for part in parts.values() for s, t in zip(*part, strict=True))
    assert parts["test"].source != ["a 19", "a 39"] and load_parallel(str(path)).parts == parts
    assert said[0].endswith("pairs.tsv: 40 pairs (UTF-8, tabs between columns)")
    assert said[1:] == ["parts: train 36, validation 2, test 2", "longest: 2 words, translation 2 words"]


def test_further_columns_are_no_translation(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("English\tGerman\tAttribution\n" + pairs(columns="\tlicence and source #1"))
    parts, said = load_parallel(str(path))
    targets = [target for part in parts.values() for target in part.target]
    assert len(targets) == 60 and all(target.endswith(" isst.") for target in targets)
    assert "line 1 is a header, and left out: English | German | Attribution" in said
    assert "columns after the second are left out, such as 'licence and source #1'" in said


def test_several_translations_of_a_sentence_are_in_one_part(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(gzip.compress((pairs(times=3) + "another cat\tdie Katze 3 isst.\n").encode("utf-16")))
    parts, said = load_parallel(str(path))
    sources = [set(part.source) for part in parts.values()]
    assert sum(map(len, sources)) == 61 and sum(len(part.source) for part in parts.values()) == 181
    assert sum({"another cat", "the cat 3 eats."} <= part for part in sources) == 1
    assert "121 translations are as an earlier one" in said[1] and "120 sentences" in said[1]


def test_a_corpus_in_two_files(tmp_path):
    source, target = tmp_path / "train.en", tmp_path / "train.de"
    source.write_text("".join(f'"a\t{i}"\n' for i in range(40)) + "\n")
    target.write_bytes("".join(f"ä {i}\n" for i in range(40)).encode("latin-1") + b"\n")
    parts, said = load_parallel(str(source), str(target))
    lines = [pair for part in parts.values() for pair in zip(*part, strict=True)]
    assert sorted(lines) == sorted((f'"a\t{i}"', f"ä {i}") for i in range(40))
    assert "40 pairs" in said[0] and "1 lines are empty in both, and left out" in said
    target.write_text("one\n")
    with pytest.raises(DataError, match=r"train\.de: 41 lines in one language, 1 in the other"):
        load_parallel(str(source), str(target))
    source.write_text("a\n\nb\n")
    target.write_text("a\nb\nc\n")
    with pytest.raises(DataError, match="line 2 is empty in one of them"):
        load_parallel(str(source), str(target))
    for files, message in (
        ((str(source), "none.de"), "target_corpus='none.de' is no file"),
        (("multi30k", str(target)), "multi30k has its own translations"),
        ((str(source), str(source)), "both called train.en"),
    ):
        with pytest.raises(DataError, match=message):
            load_parallel(*files)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\n" * 5 + b"only one side\n", r"line 6: 'only one side': expected a sentence, a tab"),
        (b"a\tb\n\na\tb\n", "line 2: the line is empty"),
        (b"a\tb\tc\n" * 9 + b"a\tb\n", "line 10: 'a.tb': expected a sentence, a tab, and its translation, and 1 more"),
        (b"a\tb\n" * 9 + b"a\tb\tc\n", r"line 10: 'a.tb.tc'"),
        (b"a\tb\n" * 30, "30 items in 1 groups"),
        (b"a\tb\n" * 19, "has 19 lines: expected at least 20"),
        (b"a\t\0\n" * 30, "zero byte at offset 2: it is no text"),
        (b"", "empty"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, content, message):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_parallel(str(path))


def test_sentences_that_are_not_translated_are_said(tmp_path):
    (tmp_path / "pairs.tsv").write_text(pairs() + "cats\tcats\n" * 2)
    assert "note: 2 translations are the sentence itself" in load_parallel(str(tmp_path / "pairs.tsv")).said


def test_a_name_that_is_nothing_is_refused():
    with pytest.raises(DataError, match="corpus='multi30' is no file, and not multi30k"):
        load_parallel("multi30")
