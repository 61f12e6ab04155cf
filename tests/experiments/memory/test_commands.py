"""Memory: train, stop, resume, evaluate at other lengths, probe with a sequence of one's own, and every mistake."""

import json

import pytest

from experiments.memory import EXPERIMENT
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = (
    "--task adding --length 4 --cell gru(longest=4) --hidden-size 8 --held-out 64 --batch-size 32 --steps 200 "
    "--steps-per-dispatch 20 --evaluate-every 100 --warmup-steps 5 --learning-rate 0.02"
).split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    assert command("--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "memory" / "run"


def test_a_run_says_everything_about_itself(trained):
    result = json.loads((trained / "result.json").read_text())
    assert (result["model"], result["metric"]) == ("gru(longest=4) 1 x 8", "mean squared error")
    assert result["value"] < 0.02 and result["baseline"] == {"remembering nothing": 1 / 6}
    assert not result["higher_is_better"] and result["published"] == []
    assert set(result["scores"]) == {
        "accuracy %", "mean squared error, twice the length", "accuracy %, twice the length",
    }  # fmt: skip
    assert "right" in (trained / "sample.txt").read_text()
    assert (trained / "figures" / "curves.png").stat().st_size > 5_000


def test_evaluate_and_probe(trained, capsys):
    assert command("evaluate", trained) == 0
    result = json.loads((trained / "result.json").read_text())
    assert f"{result['value']:.6f}  mean squared error" in capsys.readouterr().out
    assert command("evaluate", trained, "--length", "8") == 0
    twice = result["scores"]["mean squared error, twice the length"]
    assert f"{twice:.6f}  mean squared error" in capsys.readouterr().out
    assert command("probe", trained, "0.3,1 0.9,0 0.2,1 0.4,0") == 0
    said = capsys.readouterr().out
    assert "marked 0.300 + 0.200" in said and abs(float(said.split()[-1]) - 0.5) < 0.3
    assert command("examples", trained, "--length", "6", "--count", "2") == 0
    assert capsys.readouterr().out.count("right") == 2


def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "memory" / "run"
    command.interrupted(capsys, run, *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["value"] == wanted["value"] and result["scores"] == wanted["scores"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "forgetting"], "task='forgetting'"),
        (["--length", "1"], "length=1: expected at least 2"),
        (["--cell", "gru(longest)"], "expected options such as"),
        (["probe", "RUN", "1 0 1"], "expected steps of 2 numbers"),
        (["evaluate", "RUN", "--length", "1"], "length=1: expected at least 2"),
        (["examples", "nowhere"], "is not a run"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, capsys, arguments, message):
    said = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in said, said
