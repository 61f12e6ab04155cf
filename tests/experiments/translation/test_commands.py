"""Translation as a user has it, on pairs of one's own: train, stop, resume, evaluate, translate, and the mistakes."""

import dataclasses
import io
import json
import re
import sys

import numpy as np
import pytest

from experiments.translation import EXPERIMENT
from experiments.translation.data import load_parallel
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = (
    "--hidden-size 12 --embedding-size 16 --vocabulary-size 60 --batch-size 8 --buckets 1 --steps 20 "
    "--evaluate-every 10 --steps-per-dispatch 5 --warmup-steps 5 --beams 2"
).split()


def make_pairs(path, count: int = 200, longest: int = 4) -> None:
    """Lines whose translation is themselves in small letters."""
    words, random = ["ein", "rot", "Hund", "und", "Katze"], np.random.default_rng(0)
    lines = [" ".join(random.choice(words, random.integers(2, longest + 1))) for _ in range(count)]
    path.write_text("".join(f"{line.upper()}\t{line}\n" for line in lines))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translation")
    make_pairs(folder / "pairs.tsv")
    assert command("--corpus", folder / "pairs.tsv", "--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "translation" / "run"


def test_a_run_has_its_scores_examples_and_pictures(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "BLEU" and result["higher_is_better"] and set(result["scores"]) == {"greedy", "beam"}
    assert result["value"] == result["scores"]["beam"]["BLEU"] and "source copied" in result["baseline"]
    assert (trained / "examples.txt").read_text().startswith("> ")
    assert all((trained / "figures" / f"{name}.png").stat().st_size > 5000 for name in ("curves", "attention"))


def test_evaluate_gives_the_value_of_the_result(trained, capsys):
    assert command("evaluate", trained) == 0
    value = json.loads((trained / "result.json").read_text())["value"]
    assert f"BLEU {value:.2f}" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_translates_an_argument_and_a_pipe(trained, capsys, monkeypatch, tmp_path):
    assert command("translate", trained, "EIN HUND", "--figure", tmp_path / "look.png") == 0
    alone = capsys.readouterr().out
    lines = io.TextIOWrapper(io.BytesIO(b"EIN HUND\n\n\xe2\x98\x83 \xe2\x98\x83\n"))
    monkeypatch.setattr(sys, "stdin", lines)
    assert command("translate", trained) == 0
    piped = capsys.readouterr().out.split("\n")
    assert piped[0] + "\n" == alone and piped[1] == "" and len(piped) == 4, "an empty line has an empty translation"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"EIN\n\xff\n")))
    assert command("translate", trained) == 1
    assert "standard input, line 2: byte 0xff is not UTF-8" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_a_translation_of_word_by_word_is_learned(tmp_path):
    make_pairs(tmp_path / "pairs.tsv", 300, 6)
    size = "--cased --hidden-size 24 --embedding-size 24 --vocabulary-size 60 --batch-size 16 --buckets 1 --dropout 0"
    flags = f"{size} --beams 2 --steps 200 --evaluate-every 100 --steps-per-dispatch 50 --warmup-steps 20"
    words = ["--corpus", tmp_path / "pairs.tsv", "--runs", tmp_path, "--name", "run"]
    assert command(*words, *flags.split(), "--learning-rate", 0.01) == 0
    result = json.loads((tmp_path / "translation" / "run" / "result.json").read_text())
    assert result["value"] > 80 > 10 > result["baseline"]["source copied"]


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    corpus = trained.parents[1] / "pairs.tsv"
    command.interrupted(capsys, run := tmp_path / "translation" / "run", "--corpus", corpus, *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["value"] == wanted["value"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus", "nowhere.tsv"], "corpus='nowhere.tsv' is no file, and not multi30k"),
        (["--attention", "dot"], "attention='dot'"),
        (["--model", "mamba"], "model='mamba'"),
        (["--corpus", "one.tsv"], "one.tsv, line 1: 'no tab'"),
    ],
)
def test_mistakes_end_in_one_clear_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.tsv").write_text("no tab\n" * 30)
    said = command.refused(capsys, *arguments)
    assert re.search(message, said), said


def test_new_sentences_are_answered_the_same_everywhere(trained, tmp_path, capsys):
    (good := tmp_path / "good.txt").write_text("EIN HUND\nROT UND ROT UND ROT UND ROT UND ROT\nKATZE\n")
    (bad := tmp_path / "bad.txt").write_text("EIN HUND\n\nKATZE\n")
    (labelled := tmp_path / "labelled.tsv").write_text("EIN HUND\tein Hund\nKATZE\tKatze\n")
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused=2, labelled=labelled, beams=2)


@pytest.mark.exhaustive
def test_scores_of_the_test_part_are_those_of_the_same_pairs_in_a_file_or_two(trained, tmp_path, capsys):
    pairs = load_parallel(EXPERIMENT.load(trained).config.corpus).parts["test"]
    (one := tmp_path / "pairs.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in zip(*pairs, strict=True)))
    files = [tmp_path / "test.en", tmp_path / "test.de"]
    for file, lines in zip(files, pairs, strict=True):
        file.write_text("\n".join(lines) + "\n")
    result = json.loads((trained / "result.json").read_text())["scores"]
    for name, flags in (
        ("beam", [one]), ("beam", [files[0], "--target-corpus", files[1]]), ("greedy", [one, "--beams", 1])
    ):  # fmt: skip
        capsys.readouterr()
        assert command("evaluate", trained, "--data", *flags, "--format", "json") == 0
        scores = json.loads(capsys.readouterr().out)
        assert scores["inputs"] == len(pairs.source)
        assert [scores[k] for k in ("BLEU", "chrF")] == pytest.approx([result[name][k] for k in ("BLEU", "chrF")])


@pytest.mark.exhaustive
def test_pairs_that_are_of_no_use_are_named_and_the_others_scored(trained, tmp_path, capsys):
    (tmp_path / "pairs.tsv").write_text("source\ttarget\nEIN\tein\nROT\nHUND \tHund\n")
    assert command("evaluate", trained, "--data", tmp_path / "pairs.tsv", "--format", "json") == 1
    said = capsys.readouterr()
    assert "error: 3: 'ROT': expected a sentence, a tab, and its translation" in said.err
    assert json.loads(said.out)["inputs"] == 2
    (tmp_path / "a.en").write_text("EIN\nROT\n")
    (tmp_path / "a.de").write_text("ein\n")
    both = ["--data", tmp_path / "a.en", "--target-corpus", tmp_path / "a.de"]
    assert "2 lines in one language, 1 in the other" in command.refused(capsys, "evaluate", trained, *both)
    assert "--part" in command.refused(capsys, "evaluate", trained, *both, "--parts", "train")
    assert "part='train': data=" in command.refused(capsys, "evaluate", trained, *both, "--part", "train")
    long = "EIN HUND " * 300
    (tmp_path / "long.txt").write_text(f"EIN\n{long}\n")
    assert command("predict", trained, tmp_path / "long.txt") == 1
    assert re.search("error: 2: text .* has .* subwords: expected at most 400", capsys.readouterr().err)


def test_a_model_that_knows_upper_case_is_scored_with_and_without_it(trained, monkeypatch):
    loaded = EXPERIMENT.load(trained)
    predictor = EXPERIMENT.predictor(dataclasses.replace(loaded, config=dataclasses.replace(loaded.config, cased=True)))
    scores = predictor.measures(["Ein roter Hund bellt"], [{"translation": "ein roter hund bellt", "nats": 1.0}])
    assert scores["BLEU"] < scores["BLEU, lower case"] == pytest.approx(100)
