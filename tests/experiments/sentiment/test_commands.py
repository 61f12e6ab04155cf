"""Sentiment as a user has it: own texts, train, stop, resume, evaluate, classify, and every odd text and file."""

import io
import json
import re
import shlex
import sys
import time

import numpy as np
import pytest

from experiments.sentiment import EXPERIMENT
from experiments.sentiment.data import load_labelled
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = shlex.split(
    "--hidden-size 6 --embedding-size 8 --heads 1 --transformer-layers 1 --batch-size 8 --buckets 1 --steps 40 "
    "--steps-per-dispatch 10 --evaluate-every 20 --warmup-steps 5 --learning-rate 0.03 --longest 20 --gram-count 2 "
    "--start 1 --pair-count 2"
)
GOOD, BAD = ("good", "fine", "lovely"), ("bad", "dull", "awful")
ROWS = [
    f"{label}\tthe {word} film number {i} is {word}"
    for i in range(8)
    for label, words in (("praise", GOOD), ("blame", BAD))
    for word in words
]
TWICE = [f"{'blame' if i % 2 else 'praise'} film{i % 40}" for i in range(80)]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    file = tmp_path_factory.mktemp("own") / "own.tsv"
    file.write_text("\n".join(ROWS) + "\n")
    return file


@pytest.fixture(scope="module")
def trained(own):
    assert command("--data", own, "--runs", own.parent, "--name", "run", *SMALL) == 0
    return own.parent / "sentiment" / "run"


def test_a_run_says_everything_about_itself(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["value"] == result["scores"]["accuracy"] == 100 and result["metric"] == "accuracy %"
    assert np.sum(result["scores"]["confusion"]) == 5 and 0 <= result["scores"]["calibration error"] < 1
    assert set(result["baseline"]) == {"naive Bayes", "NBSVM"} and result["published"] == []
    assert json.loads((trained / "classes.json").read_text()) == ["blame", "praise"]
    for figure in ("curves.png", "reliability.png"):
        assert (trained / "figures" / figure).stat().st_size > 10_000
    assert len((trained / "sample.txt").read_text().splitlines()) == 5


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--tokens", "subword", "--subwords", "60", "--pair-count", "0"], marks=pytest.mark.exhaustive),
        ["--tokens", "word", "--pair-count", "0", "--model", "transformer"],
    ],
)
def test_other_tokens_and_models(own, tmp_path, capsys, options):
    assert command("--data", own, "--runs", tmp_path, "--name", "run", *SMALL, *options) == 0
    said = capsys.readouterr()
    assert re.search(r"padding: \d+% of the steps if all were padded to the longest .*\d+% in buckets", said.err)
    assert "number" in said.out
    assert command("classify", tmp_path / "sentiment/run", "a lovely day") == 0
    assert re.match(r"(praise|blame) [01]\.\d{3}: a lovely day \[.*lovely [+-]", capsys.readouterr().out)


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, own, tmp_path, capsys):
    command.interrupted(capsys, run := tmp_path / "sentiment" / "run", "--data", own, *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["scores"]["nats"] == wanted["scores"]["nats"]


def test_evaluate_scores_the_test_part_or_another_file(trained, tmp_path, capsys):
    assert command("evaluate", trained) == 0
    assert "100.00  accuracy, %" in capsys.readouterr().out
    (tmp_path / "other.csv").write_text("text,label\na fine film,praise\na dull film,blame\na bad film,praise\n")
    assert command("evaluate", trained, "--data", tmp_path / "other.csv") == 0
    assert "66.67  accuracy %" in capsys.readouterr().out
    (tmp_path / "strange.tsv").write_text("praise\tgood\nhate\tbad\n")
    assert command("evaluate", trained, "--data", tmp_path / "strange.tsv") == 1
    assert "line 2: label 'hate' is none of the model's, blame, praise" in capsys.readouterr().err


def test_classify_says_which_words_drove_it(trained, capsys):
    assert command("classify", trained, "the awful film", "a lovely film") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert re.match(r"blame [01]\.\d{3}: the awful film \[.*awful \+", first)
    assert re.match(r"praise [01]\.\d{3}: a lovely film \[.*lovely \+", second)


@pytest.mark.exhaustive
def test_odd_texts_have_defined_answers(trained, capsys, monkeypatch):
    lines = ["", "   ", "zzz qqq", "good " * 100_000, "é🎻 \u200b good"]
    stream = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    began = time.process_time()
    assert command("classify", trained) == 0
    assert time.process_time() - began < 60
    empty, blank, unknown, long, strange = capsys.readouterr().out.splitlines()
    assert empty.startswith("none (no words)") and blank.startswith("none (no words)")
    assert re.match(r"(praise|blame) [01]\.\d{3} \(no known word\): zzz qqq", unknown)
    assert re.match(r"praise [01]\.\d{3} \(only the first 20 of 100,000 tokens were read\): good good", long)
    assert len(long) < 400 and re.match("praise", strange)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good\nna\xefve\n")))
    assert command("classify", trained) == 1
    assert "standard input, line 2: byte 0xef is not UTF-8" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_long_texts_are_cut_with_a_warning(tmp_path):
    (tmp_path / "long.tsv").write_text("\n".join(["praise\t" + "good " * 100_000, *ROWS[1:]]))
    with pytest.warns(UserWarning, match="1 of .* texts have more than longest=20 tokens: cut"):
        config = EXPERIMENT.configure({"data": str(tmp_path / "long.tsv"), "longest": 20, "hidden_size": 4})
        prepared = EXPERIMENT.prepare(config)
    assert prepared.task.batch(0)["inputs"].shape[0] <= 20


MISTAKES = {
    "missing column": ("label\tn\npraise\t1\n", [], "line 1: the header .* has no column 'text'"),
    "empty line": ("praise\tgood\n\nblame\tbad\n", [], "line 2: the line is empty"),
    "no text": (b"praise\tgood\0\nblame\tbad\n", [], "zero byte at offset 11: it is no text"),
    "no header": ("\n".join(["verdict\topinion", *ROWS]), [], "line 1: 'verdict' is in no other row"),
    "no column": ("\n".join(ROWS), ["--text-column", "body"], "line 1: no column 'body'"),
    "one class": ("praise\tgood\n" * 20, [], "expected at least two different ones"),
    "few texts": ("praise\tgood\nblame\tbad\n", [], "expected at least 10"),
    "no file": (None, [], "cannot be read: No such file"),
    "tokens": ("", ["--tokens", "letters"], "tokens='letters'"),
    "pooling": ("\n".join(ROWS), ["--pooling", "first"], "pooling='first'"),
    "dropout": ("", ["--word-dropout", "1.5"], "word_dropout=1.5"),
    "few subwords": (
        "\n".join(ROWS),
        ["--tokens", "subword", "--subwords", "5", "--pair-count", "0"],
        "vocabulary_size=5: expected at",
    ),
    "pairs of words alone": ("", ["--tokens", "word"], "pair_count=2: expected 0"),
    "no direct scores to start": ("", ["--no-direct"], "start=1.0, direct=False"),
}


@pytest.mark.parametrize(("content", "flags", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_end_in_one_clear_line(tmp_path, capsys, content, flags, message):
    if content is not None:
        (tmp_path / "own.tsv").write_bytes(content if isinstance(content, bytes) else content.encode())
    said = command.refused(capsys, "--data", tmp_path / "own.tsv", "--runs", tmp_path, *SMALL, *flags)
    assert re.search(message, said), said


@pytest.mark.exhaustive
def test_words_that_drive_a_judgement_are_shown(trained):
    words = EXPERIMENT.pages(EXPERIMENT.load(trained), 1, 100)["words that drive a judgement"]()
    assert re.match(r"(praise|blame) [01]\.\d{3}: the ", words)
    assert re.search(rf"by integrated gradients: '({'|'.join(GOOD + BAD)})' \+", words), words
    assert (trained / "figures" / "inspect-words.png").stat().st_size > 10_000


def test_what_was_read_is_said_before_training(tmp_path, capsys):
    (tmp_path / "own.csv").write_text("text,label\n" + "".join(f"{t},{label}\n" for label, t in map(str.split, TWICE)))
    EXPERIMENT.prepare(EXPERIMENT.configure({"data": str(tmp_path / "own.csv"), "hidden_size": 4}))
    said = capsys.readouterr().err.splitlines()
    assert said[0].endswith(
        "own.csv: 80 rows (UTF-8, commas between columns); text in column 'text', label in column 'label'"
    )
    assert said[1:5] == [
        "classes: blame 40, praise 40",
        "parts: train 64 (blame 32, praise 32), validation 8 (blame 4, praise 4), test 8 (blame 4, praise 4)",
        "longest: 1 words, 'film10'",
        "repeated: 40 texts are as an earlier one, but for case and punctuation; equal ones are in one part",
    ]


def test_evaluate_takes_the_columns_of_another_table(trained, tmp_path, capsys):
    table = ["a,b,c", *(f"{i},{row}".replace("\t", ",") for i, row in enumerate(ROWS))]
    (tmp_path / "own.csv").write_text("\n".join(table))
    columns = ["--text-column", "c", "--label-column", "b"]
    assert command("evaluate", trained, "--data", tmp_path / "own.csv", *columns) == 0
    assert "text in column 'c', label in column 'b'" in capsys.readouterr().err
    said = command.refused(capsys, "evaluate", trained, "--data", tmp_path / "own.csv")
    assert "line 1: 3 columns, expected 2, or a header" in said


def test_runs_from_before_the_columns_had_names_still_open(trained):
    stored = json.loads((trained / "config.json").read_text())
    older = {name: value for name, value in stored.items() if name not in ("text_column", "label_column")}
    assert EXPERIMENT.today(older) == stored and EXPERIMENT.today({"steps": 1}) == {"steps": 1}


@pytest.mark.exhaustive
def test_what_is_told_at_the_end_of_a_training_applies_the_model(own, tmp_path, capsys):
    folder = tmp_path / "my runs"
    short = ["--steps", "10", "--evaluate-every", "10", "--tokens", "word", "--pair-count", "0"]
    assert command("--data", own, "--runs", folder, "--name", "run", *SMALL, *short) == 0
    (told,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("apply it: "))
    python, flag, module, *words = shlex.split(told.removeprefix("apply it: "))
    assert (python, flag, module, words[-1]) == ("python", "-m", "experiments.sentiment", "FILE")
    (file := tmp_path / "new.txt").write_text("a lovely film")
    assert command(*words[:-1], file) == 0
    assert capsys.readouterr().out.startswith("1: ")


def test_new_texts_are_answered_the_same_everywhere(trained, tmp_path, capsys):
    (good := tmp_path / "good.txt").write_text("the fine film\nawful\nthe lovely film number 3 is lovely\n")
    (bad := tmp_path / "bad.csv").write_text('id,text\na,"fine, or not"\nb,\nc,dull\n')
    (labelled := tmp_path / "labelled.tsv").write_text("text\tlabel\nfine\tpraise\nawful\tblame\n")
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused="b", labelled=labelled)


def test_the_row_of_a_text_that_is_cut_is_said(trained, tmp_path, capsys):
    (file := tmp_path / "long.csv").write_text(f"id,text\na,fine\nb,{'good ' * 21}\n")
    assert command("predict", trained, file) == 0
    assert capsys.readouterr().err == "note: b: 21 tokens, the first longest=20 of which are read\n"


def test_scores_of_the_test_part_are_those_of_the_same_texts_in_a_file(trained, own, tmp_path, capsys):
    config = EXPERIMENT.load(trained).config
    parts = load_labelled(config.data)
    rows = [f"{parts.classes[k]}\t{t}" for t, k in zip(parts.texts["test"], parts.labels["test"], strict=True)]
    (file := tmp_path / "test.tsv").write_text("label\ttext\n" + "\n".join(rows) + "\n")
    assert command("evaluate", trained, "--data", file, "--format", "json") == 0
    scores = json.loads(capsys.readouterr().out)
    result = json.loads((trained / "result.json").read_text())["scores"]
    assert scores["inputs"] == len(rows) and scores["accuracy %"] == result["accuracy"]
    assert scores["nats"] == pytest.approx(result["nats"], rel=1e-5)
