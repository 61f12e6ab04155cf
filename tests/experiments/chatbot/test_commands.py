"""The chatbot as a user has it: train on own conversations, stop, resume, evaluate, talk in a pipe, and mistakes."""

import functools
import io
import json
import re
import subprocess
import sys

import pytest

from experiments.chatbot import EXPERIMENT
from experiments.chatbot.data import load_conversations, split_conversations
from rnn_jax.train.console import rounded
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = ["--hidden-size", "8", "--embedding-size", "16", "--batch-size", "8", "--longest", "16", "--subwords", "120"]
SMALL += ["--heads", "2", "--transformer-layers", "1", "--steps", "20", "--steps-per-dispatch", "5"]
SMALL += ["--evaluate-every", "10", "--warmup-steps", "5", "--learning-rate", "0.02"]
COLOURS = ["red", "blue", "green", "white", "black", "pink", "brown", "grey", "gold", "lime", "teal", "plum", "rust"]
THINGS = ["door", "wall", "lamp", "boat", "tent"]
LINES = [f"is the {thing} {colour}?\tyes, the {thing} is {colour}." for colour in COLOURS for thing in THINGS]


# What writing shares with translation is tested there.
every_task = pytest.mark.parametrize("task", ["ranking", pytest.param("writing", marks=pytest.mark.exhaustive)])
OPTIONS = {"ranking": [], "writing": ["--model", "transformer", "--hidden-size", "12", "--ngram", "2"]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Of each task a run, trained for the first test that asks for it."""
    folder = tmp_path_factory.mktemp("chatbot")
    (folder / "own.tsv").write_text("\n".join(LINES) + "\n")

    @functools.cache
    def run(task):
        flags = ["--task", task, "--data", folder / "own.tsv", "--runs", folder, "--name", task]
        assert command(*flags, *SMALL, *OPTIONS[task]) == 0
        return folder / "chatbot" / task

    return run


@every_task
def test_a_run_says_everything_about_itself(trained, task, capsys):
    run = trained(task)
    result = json.loads((run / "result.json").read_text())
    metric, baseline = {"ranking": ("recall@1 %", "TF-IDF"), "writing": ("perplexity", "3-gram")}[task]
    assert result["metric"] == metric and result["higher_is_better"] == (task == "ranking")
    assert baseline in result["baseline"] and result["params"] > 1000
    if task == "ranking":
        assert result["value"] > 10  # of ten candidates
        assert result["scores"]["% of test contexts, replies in training"] == [0, 0]
    else:
        assert result["value"] < result["baseline"]["unigram"]
    assert (run / "figures" / "curves.png").stat().st_size > 10_000
    assert "true " in (run / "sample.txt").read_text()
    capsys.readouterr()
    assert command("evaluate", run) == 0
    assert capsys.readouterr().out.lstrip().startswith(f"{rounded(result['value'])}  {metric}\n")


def say(monkeypatch, capsys, run, content: bytes) -> tuple[int, list[str], str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    capsys.readouterr()
    code = command("chat", run)
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


@pytest.mark.exhaustive
@every_task
def test_each_line_has_one_reply(trained, task, monkeypatch, capsys):
    long = "is the red door blue? " * 20_000
    content = f"is the lamp pink?\n\nЖЖЖ ЩЩ\n{long}\nand the boat?".encode()
    code, replies, about = say(monkeypatch, capsys, trained(task), content)
    assert code == 0 and len(replies) == 5 and "marked (unsure)" in about
    assert replies[1] == "(unsure) I have read nothing: please say something."
    assert replies[2] == "(unsure) I know none of these words."
    assert replies[3].startswith("(I read only the last 16 of ")
    if task == "ranking":
        assert re.sub(r"\(.*\) ", "", replies[0]) in {line.partition("\t")[2] for line in LINES}


def test_wrong_bytes_are_named_and_what_came_before_is_answered(trained, monkeypatch, capsys):
    code, replies, errors = say(monkeypatch, capsys, trained("ranking"), b"is the lamp pink?\n\xe4\n")
    assert code == 1 and len(replies) == 1
    assert "error: standard input, line 2: byte 0xe4 is not UTF-8" in errors and "Traceback" not in errors


@pytest.mark.exhaustive
def test_in_a_pipe_replies_come_at_once_and_the_end_is_clean(trained):
    program, pipe = [sys.executable, "-m", "experiments.chatbot", "chat", trained("ranking")], subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        for _ in range(2):
            process.stdin.write("is the lamp pink?\n")
            process.stdin.flush()
            assert process.stdout.readline().endswith(".\n")
        process.stdout.close()  # nobody reads any more
        process.stdin.write("and the boat?\n" * 3)
        process.stdin.close()
        assert process.wait(400) == 0
        assert "Error" not in process.stderr.read()


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    command.interrupted(
        capsys, run := tmp_path / "chatbot" / "run", "--data", trained("ranking").parents[1] / "own.tsv", *SMALL
    )
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained("ranking")))
    assert result["value"] == wanted["value"] and result["steps"] == 20


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, [], "data='own.tsv' is no file, and not the corpus chatterbot"),
        (b"a\tb\nonly one\n", [], "own.tsv, line 2: no tab in 'only one'; expected what is said, a tab, the reply"),
        (b"a\t\n", [], "own.tsv, line 1: column 2 of 2 is empty"),
        (b"a\0\tb\n", [], "zero byte at offset 1: it is no text"),
        (b"a\tb\nc\td\n", [], "too few for training, validation and test"),
        (b"", ["--task", "reading"], "task='reading'"),
    ],
)
def test_mistakes_end_in_one_clear_line(tmp_path, monkeypatch, capsys, content, arguments, message):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "own.tsv").write_bytes(content)
    said = command.refused(capsys, "--data", "own.tsv", *SMALL, *arguments)
    assert message in said, said


@every_task
def test_new_lines_are_answered_the_same_everywhere(trained, tmp_path, capsys, task):
    (good := tmp_path / "good.tsv").write_text("is the lamp pink?\nis the door red?\tyes.\tand the boat?\nred tent\n")
    (bad := tmp_path / "bad.txt").write_text("is the lamp pink?\n\u0416\u0416\u0416\nis the tent red?\n")
    (labelled := tmp_path / "labelled.tsv").write_text("\n".join(LINES[::4]))
    options = {"best": 3} if task == "ranking" else {}
    run = trained(task)
    capsys.readouterr()  # of a training that this may have been the first to ask for
    check_answers(EXPERIMENT, run, capsys, good=good, bad=bad, refused=2, labelled=labelled, **options)


@every_task
def test_scores_of_the_test_part_are_those_of_the_same_conversations_in_a_file(trained, tmp_path, capsys, task):
    run = trained(task)
    config = EXPERIMENT.load(run).config
    conversations = load_conversations(config.data).conversations
    pairs = split_conversations(conversations, config.text.turns)["test"]
    lines = ["\t".join((*pair.context, pair.reply)) for pair in pairs]
    (file := tmp_path / "test.tsv").write_text("\n".join([*lines, "no reply"]) + "\n")
    capsys.readouterr()
    assert command("evaluate", run, "--data", file, "--format", "json") == 1
    said, result = capsys.readouterr(), json.loads((run / "result.json").read_text())
    assert f"error: {len(lines) + 1}: no tab in 'no reply'" in said.err
    scores = json.loads(said.out)
    assert scores["inputs"] == len(pairs) and scores["refused"] == 1
    name = {"ranking": "recall@1 % of ten replies", "writing": "perplexity"}[task]
    assert scores[name] == pytest.approx(result["value"], rel=1e-5)


def test_replies_are_chosen_from_a_file_and_the_best_come_first(trained, tmp_path, capsys):
    (tmp_path / "lines.txt").write_text("is the lamp pink?\tyes\tthe lamp?\n\n")
    (tmp_path / "replies.txt").write_text("no, the boat is red.\nyes, the lamp is pink.\n\nthe lamp?\nyes\n")
    run = trained("ranking")
    flags = [tmp_path / "lines.txt", "--format", "json", "--replies", tmp_path / "replies.txt", "--best", 4]
    capsys.readouterr()
    assert command("predict", run, *flags) == 1
    said = capsys.readouterr()
    assert "error: 2: the line is empty" in said.err
    record = json.loads(said.out.splitlines()[0])
    ranked = [record["reply"], *(other["reply"] for other in record["others"])]
    assert set(ranked[2:]) == {"the lamp?", "yes"}, "a reply that repeats a turn comes last"
    assert "best=5: expected 1 to 4" in command.refused(capsys, "predict", run, *flags[:-1], 5)


@pytest.mark.exhaustive
def test_replies_that_are_written_are_not_chosen(trained, tmp_path, capsys):
    (tmp_path / "lines.txt").write_text("is the lamp pink?\n")
    (tmp_path / "replies.txt").write_text("yes\n")
    flags = [tmp_path / "lines.txt", "--replies", tmp_path / "replies.txt"]
    assert "leave it out" in command.refused(capsys, "predict", trained("writing"), *flags)
