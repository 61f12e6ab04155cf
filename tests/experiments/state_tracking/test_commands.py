"""Automata: train beyond the lengths of training, stop, resume, evaluate, answer sequences of one's own."""

import json

import jax
import numpy as np
import pytest

from experiments.common.synthetic import batch_indices
from experiments.state_tracking import EXPERIMENT
from rnn_jax.train import key_for
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = (
    "--task even_pairs --cell gru --hidden-size 8 --longest 6 --test-length 30 --held-out 64 --batch-size 32 "
    "--steps 200 --steps-per-dispatch 20 --evaluate-every 100 --warmup-steps 5 --learning-rate 0.03 --curriculum 20"
).split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("states")
    assert command("--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "state_tracking" / "run"


def test_a_run_says_everything_about_itself(trained):
    result = json.loads((trained / "result.json").read_text())
    assert (result["model"], result["metric"]) == ("gru 1 x 8", "accuracy %") and result["published"] == []
    assert result["value"] == result["scores"]["even_pairs"] > 95, "two states have not been learned"
    assert 50 <= result["baseline"]["commonest answer"] < 56
    assert "right" in (trained / "sample.txt").read_text()
    for figure in ("curves", "lengths"):
        assert (trained / "figures" / f"{figure}.png").stat().st_size > 5_000


@pytest.mark.exhaustive
def test_evaluate_and_examples(trained, capsys):
    assert command("evaluate", trained) == 0
    value = json.loads((trained / "result.json").read_text())["value"]
    assert f"{value:.2f}" in capsys.readouterr().out
    assert command("evaluate", trained, "--test-length", "12") == 0
    assert "7 to   12" in capsys.readouterr().out
    assert command("examples", trained, "--length", "6", "--count", "2") == 0
    assert capsys.readouterr().out.count("right") == 2


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "state_tracking" / "run"
    command.interrupted(capsys, run, *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["scores"] == wanted["scores"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "primes"], "task='primes'"),
        (["--test-length", "40"], "test_length=40: expected more than longest=40"),
        (["--cell", "gru(heads=3)"], "heads"),
        (["predict", "RUN", "FILE", "--task", "parity"], "task='parity': expected one of 'even_pairs'"),
        (["evaluate", "RUN", "--test-length", "5"], "test_length=5: expected more than longest=6"),
        (["examples", "nowhere"], "is not a run"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, capsys, arguments, message):
    said = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in said, said


@pytest.mark.exhaustive
def test_new_sequences_are_answered_the_same_everywhere(trained, tmp_path, capsys):
    (good := tmp_path / "good.txt").write_text("0 1 1 0 1\n1\n1 1 0\t1 1 0\n")
    (bad := tmp_path / "bad.txt").write_text("0 1\n0 1 2\n1 0\n")
    (labelled := tmp_path / "labelled.txt").write_text("0 1\t1\n1 0 1\t. 1 0\n")
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused=2, labelled=labelled)
    assert command("predict", trained, good, "--format", "json") == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["class"] == "1" and first["answers"] == "0 1 1 0 1" and len(first["p"].split()) == 5


def test_scores_of_the_test_sequences_are_those_of_the_same_sequences_in_a_file(trained, tmp_path, capsys):
    config = EXPERIMENT.load(trained).config
    stream = config.streams(key_for(0, "test data"), config.longest + 1, config.test_length)["even_pairs"]
    sample = jax.device_get(stream(batch_indices(0, 64)))
    rows = zip(sample.inputs.T.astype(str), sample.targets.T.astype(str), strict=True)
    lines = [f"{' '.join(inputs)}\t{' '.join(targets)}\n" for inputs, targets in rows]
    (file := tmp_path / "test.txt").write_text("".join([*lines, "0 1\n", "0 1\t2\n", "0\t1 0\n", "0 1\t. .\n"]))
    capsys.readouterr()
    assert command("evaluate", trained, "--data", file, "--format", "json") == 1
    said = capsys.readouterr()
    scores = json.loads(said.out)
    assert scores["inputs"] == 64 and scores["refused"] == 4 and scores["answers"] == np.prod(sample.inputs.shape)
    assert "error: 65: answers '': expected a tab and 1 to 2 classes from 0 to 1" in said.err
    value = json.loads((trained / "result.json").read_text())["value"]
    assert scores[f"accuracy beyond {config.longest} steps %"] == pytest.approx(value, rel=1e-6)
