"""The main job as a user has it: train, stop, resume, evaluate, sample, and every mistake one makes on the way."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest

from experiments.text_generation import EXPERIMENT
from rnn_jax.data import split
from rnn_jax.train import replace_fields
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = (
    "--cell gru --hidden-size 16 --embedding-size 8 --batch-size 8 --length 16 --steps 40 --steps-per-dispatch 10 "
    "--evaluate-every 20 --warmup-steps 5 --learning-rate 0.02"
).split()
TEXT = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n" * 40


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "corpus.txt").write_text(TEXT)
    assert command("--corpus", folder / "corpus.txt", "--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "text_generation" / "run"


def test_a_run_says_everything_about_itself(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["experiment"] == "text_generation" and result["metric"] == "nats/char"
    assert result["value"] < result["baseline"]["unigram"], (
        "the model has learned less than the characters' frequencies"
    )
    assert set(result["baseline"]) == {"unigram", "5-gram", "xz"}
    for field in ("published", "config_hash", "params", "steps", "seconds", "device", "seed", "higher_is_better"):
        assert field in result
    assert json.loads((trained / "config.json").read_text())["hidden_size"] == 16
    assert (trained / "figures" / "curves.png").stat().st_size > 10_000
    assert len((trained / "sample.txt").read_text()) == 600


def test_evaluate_gives_the_value_of_the_result(trained, capsys):
    capsys.readouterr()
    assert command("evaluate", trained) == 0
    value = json.loads((trained / "result.json").read_text())["value"]
    assert capsys.readouterr().out.startswith(f"{value:.4f} nats per character")


@pytest.mark.exhaustive
def test_with_a_part_for_the_test_the_result_is_of_that_part(trained, tmp_path, capsys):
    corpus = trained.parents[1] / "corpus.txt"
    flags = ["--corpus", corpus, "--runs", tmp_path, "--name", "run", *SMALL, "--hold-out-test"]
    assert command(*flags) == 0 and "test, nats per character" in capsys.readouterr().out
    run = tmp_path / "text_generation" / "run"
    result = json.loads((run / "result.json").read_text())
    assert set(result["scores"]) == {"validation"} and result["scores"]["validation"] != result["value"]
    assert command("evaluate", run) == 0
    assert capsys.readouterr().out.startswith(f"{result['value']:.4f} nats per character, {len(TEXT) // 10} characters")


def test_sampling_is_reproducible_and_takes_its_options(trained, capsys):
    texts = []
    for options in ((), (), ("--seed", 1), ("--temperature", 0), ("--temperature", 0, "--seed", 1)):
        capsys.readouterr()
        assert command("sample", trained, "--prompt", "To be", "--characters", 40, *options) == 0
        texts.append(capsys.readouterr().out)
    assert all(text.startswith("To be") and len(text) == 46 for text in texts)
    assert texts[0] == texts[1] != texts[2]
    assert texts[3] == texts[4]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_killed_by_sigterm_it_resumes_to_the_same_result(trained, tmp_path):
    corpus, environment = trained.parents[1] / "corpus.txt", os.environ | {"JAX_NUM_CPU_DEVICES": "4"}
    program = [sys.executable, "-m", "experiments.text_generation"]
    process = subprocess.Popen(
        [*program, "--corpus", corpus, "--runs", tmp_path, "--name", "run", *SMALL],
        stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    while "step 20/40" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    run = tmp_path / "text_generation" / "run"
    if process.returncode:  # the run may have been quicker than the signal
        assert process.returncode == 143 and f"resume {run}" in said
        assert command("resume", run) == 0
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["value"] == wanted["value"]


@pytest.mark.exhaustive
def test_another_dtype_of_the_computation_keeps_float32_parameters(trained, tmp_path):
    corpus = trained.parents[1] / "corpus.txt"
    assert command("--corpus", corpus, "--runs", tmp_path, "--name", "run", "--dtype", "bfloat16", *SMALL) == 0
    result, float32 = (
        json.loads((path / "result.json").read_text()) for path in (tmp_path / "text_generation/run", trained)
    )
    assert result["value"] == pytest.approx(float32["value"], rel=0.05)


def mistakes():
    yield "no such corpus", ["--corpus", "nowhere.txt"], "corpus='nowhere.txt' is no file"
    yield "no text", ["--corpus", "binary.txt"], "zero byte at offset 1: it is no text"
    yield (
        "one symbol",
        ["--corpus", "one.txt"],
        "one.txt has 900 characters, all of them 'a'",
    )
    yield "empty file", ["--corpus", "empty.txt"], "empty"
    yield "short file", ["--corpus", "short.txt"], "lower batch_size or length"
    yield "shorter file", ["--corpus", "shorter.txt"], "expected at least 20"
    yield "unknown cell", ["--corpus", "good.txt", "--cell", "lsmt"], "did you mean 'lstm'"
    yield "bad name", ["--corpus", "good.txt", "--name", "../up"], "name '../up'"
    yield "bad size", ["--corpus", "good.txt", "--hidden-size", "0"], "hidden_size=0"
    yield "bad dtype", ["--corpus", "good.txt", "--dtype", "float64"], "dtype='float64'"
    yield "diverging", ["--corpus", "good.txt", "--learning-rate", "1e30", "--warmup-steps", "0"], "lower learning_rate"
    yield "unknown command", ["smaple", "run"], "unknown command 'smaple': did you mean 'sample'"
    yield "nothing to resume", ["resume", "nowhere"], "not a run"
    yield "resume without name", ["--corpus", "good.txt", "--resume"], "needs name"


@pytest.mark.parametrize(("arguments", "message"), [m[1:] for m in mistakes()], ids=[m[0] for m in mistakes()])
def test_mistakes_end_in_one_clear_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "binary.txt").write_bytes(b"a\0b")
    (tmp_path / "one.txt").write_text("a" * 900)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "short.txt").write_text("too short for this" * 2)
    (tmp_path / "shorter.txt").write_text("too short")
    (tmp_path / "good.txt").write_text(TEXT)
    small = SMALL if arguments[0].startswith("-") else []
    said = command.refused(capsys, *small, *arguments)
    assert re.search(message, said), said


def test_a_run_is_not_overwritten_and_resumes_only_as_it_was(trained, capsys):
    flags = ["--corpus", trained.parents[1] / "corpus.txt", "--runs", trained.parents[1], "--name", "run"]
    before = (trained / "result.json").read_text()
    assert command(*flags, *SMALL) == 1
    assert "not empty" in (said := capsys.readouterr().err) and "--resume" in said and "--overwrite" in said
    assert command(*flags, *SMALL, "--resume", "--dropout", "0.5") == 1
    assert "dropout: stored 0.0, now 0.5" in capsys.readouterr().err
    assert (trained / "result.json").read_text() == before


def test_a_prompt_with_unknown_characters_names_them(trained, capsys):
    capsys.readouterr()
    assert command("sample", trained, "--prompt", "To bé") == 1
    said = capsys.readouterr()
    assert "'é' at position 4" in said.err and not said.out


@pytest.mark.exhaustive
def test_units_that_follow_the_text_are_shown(trained):
    words = EXPERIMENT.pages(EXPERIMENT.load(trained), 0, 100)["units that follow the text"]()
    assert re.match(r"[a-z ,]+: unit \d+, correlation [+-][01]\.\d\d\n", words)
    assert (trained / "figures" / "inspect-units.png").stat().st_size > 10_000


@pytest.mark.exhaustive
def test_a_text_in_one_line_is_trained_on_and_written(tmp_path, capsys):
    (tmp_path / "line.txt").write_text("the quick brown fox jumps " * 60)
    flags = [*SMALL, "--hidden-size", 4, "--steps", 5, "--steps-per-dispatch", 5, "--evaluate-every", 5]
    assert command("--corpus", tmp_path / "line.txt", "--runs", tmp_path, "--name", "run", *flags) == 0
    said = capsys.readouterr()
    assert "line.txt: 1,560 characters, 20 different ones, 1 lines (UTF-8)" in said.err and "note: the text" in said.err
    (longer,) = (line for line in said.out.splitlines() if line.startswith("train longer: python -m experiments."))
    words, run = shlex.split(longer.partition("   (")[0])[5:], tmp_path / "text_generation" / "run"
    assert command.config(*words) == replace_fields(EXPERIMENT.open(run)[1], steps=50)
    assert words[words.index("--corpus") + 1] == str(tmp_path / "line.txt")
    assert len((run / "sample.txt").read_text()) == 600
    assert command("sample", run, "--characters", 30) == 0
    assert len(capsys.readouterr().out) == 31


def test_new_lines_are_answered_the_same_everywhere(trained, tmp_path, capsys):
    (good := tmp_path / "good.txt").write_text("To be\nWhether 'tis nobler in the mind\nT\n")
    (bad := tmp_path / "bad.txt").write_text("To be\nTo b\u00e9\nnot to be\n")
    (labelled := tmp_path / "labelled.txt").write_text(TEXT[:300])
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused=2, labelled=labelled, characters=12)


def test_a_line_goes_on_as_the_sample_does(trained, tmp_path, capsys):
    (tmp_path / "lines.txt").write_text("To be\n")
    options = ["--characters", 40, "--seed", 3, "--top-k", 5]
    capsys.readouterr()
    assert command("sample", trained, "--prompt", "To be", *options) == 0
    sampled = capsys.readouterr().out
    assert command("predict", trained, tmp_path / "lines.txt", "--format", "json", *options) == 0
    assert "To be" + json.loads(capsys.readouterr().out)["text"] + "\n" == sampled


def test_scores_of_the_validation_text_are_those_of_the_same_text_in_a_file(trained, tmp_path, capsys):
    (file := tmp_path / "validation.txt").write_text(split(TEXT)[1])
    (tmp_path / "strange.txt").write_text("\u2603\u2603")
    capsys.readouterr()
    assert command("evaluate", trained, "--data", file, tmp_path / "strange.txt", "--format", "json") == 1
    said = capsys.readouterr()
    scores, result = json.loads(said.out), json.loads((trained / "result.json").read_text())
    assert scores["nats/char"] == pytest.approx(result["value"], rel=1e-6) and scores["inputs"] == 1
    assert f"error: {tmp_path / 'strange.txt'}: text has 1 characters that are not among" in said.err
    assert "expected 0 (all) to" in command.refused(capsys, "predict", trained, file, "--top-k", 1000)
