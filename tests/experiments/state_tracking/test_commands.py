"""Automata: train beyond the lengths of training, stop, resume, evaluate, probe with a sequence of one's own."""

import json

import pytest

from experiments.state_tracking import EXPERIMENT
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


def test_evaluate_and_probe(trained, capsys):
    assert command("evaluate", trained) == 0
    value = json.loads((trained / "result.json").read_text())["value"]
    assert f"{value:.2f}" in capsys.readouterr().out
    assert command("evaluate", trained, "--test-length", "12") == 0
    assert "7 to   12" in capsys.readouterr().out
    assert command("probe", trained, "0 1 1 0 1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["input", *"01101"] and lines[1].split() == ["answer", *"01101"]
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
        (["--cell", "gru(heads=2)"], "heads"),
        (["probe", "RUN", "0 1 2"], "sequence='0 1 2': expected tokens from 0 to 1"),
        (["probe", "RUN", "0 1", "--task", "parity"], "task='parity': expected one of 'even_pairs'"),
        (["evaluate", "RUN", "--test-length", "5"], "test_length=5: expected more than longest=6"),
        (["examples", "nowhere"], "is not a run"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, capsys, arguments, message):
    said = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in said, said
