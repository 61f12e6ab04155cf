"""Memory: train, stop, resume, evaluate at other lengths, answer sequences of one's own, and every mistake."""

import json

import jax
import pytest

from experiments.common.synthetic import batch_indices
from experiments.memory import EXPERIMENT
from experiments.memory.scores import scores_at_length
from rnn_jax.train import Run, Trained, key_for
from rnn_jax.train.console import rounded
from tests.experiments.answers import check_answers
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


@pytest.mark.exhaustive
def test_evaluate_and_examples(trained, capsys):
    assert command("evaluate", trained) == 0
    result = json.loads((trained / "result.json").read_text())
    assert f"{rounded(result['value'])}  mean squared error" in capsys.readouterr().out
    assert command("evaluate", trained, "--length", "8") == 0
    twice = result["scores"]["mean squared error, twice the length"]
    assert f"{rounded(twice)}  mean squared error" in capsys.readouterr().out
    assert command("examples", trained, "--length", "6", "--count", "2") == 0
    assert capsys.readouterr().out.count("right") == 2


@pytest.mark.exhaustive
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
        (["evaluate", "RUN", "--length", "1"], "length=1: expected at least 2"),
        (["examples", "nowhere"], "is not a run"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, capsys, arguments, message):
    said = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in said, said


def in_lines(config, count: int) -> str:
    """The first test sequences with their answers."""
    sample = jax.device_get(
        config.streams(key_for(0, "test data"), config.length)[config.task](batch_indices(0, count))
    )
    lines = []
    for row in range(count):
        inputs, targets, mask = (values[:, row] for values in sample)
        steps = [",".join(map(repr, map(float, step))) for step in inputs] if inputs.ndim > 1 else map(str, inputs)
        answers = [str(t) if m else "." for t, m in zip(targets, mask, strict=True)]
        lines.append(f"{' '.join(steps)}\t{' '.join(answers)}\n")
    return "".join(lines)


def test_new_sequences_are_answered_the_same_everywhere(trained, tmp_path, capsys):
    (good := tmp_path / "good.txt").write_text("0.3,1 0.9,0 0.2,1 0.4,0\n0.3,1 0.2,1\n0.1,0\n")
    (bad := tmp_path / "bad.txt").write_text("0.3,1 0.2,1\n1 0 1\n0.3,1 0.2,1\n")
    (labelled := tmp_path / "labelled.txt").write_text("0.3,1 0.2,1\t0.5\n0.3,1 0.2,1 0.1,0\t0.5\n")
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused=2, labelled=labelled)
    assert command("predict", trained, good, "--format", "json") == 0
    assert abs(json.loads(capsys.readouterr().out.splitlines()[0])["number"] - 0.5) < 0.3
    assert command("predict", trained, bad) == 1
    assert "error: 2: sequence='1 0 1': expected steps of 2 numbers" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_scores_of_the_test_sequences_are_those_of_the_same_sequences_in_a_file(trained, tmp_path, capsys):
    (file := tmp_path / "test.txt").write_text(in_lines(EXPERIMENT.load(trained).config, 64))
    capsys.readouterr()
    assert command("evaluate", trained, "--data", file, "--format", "json") == 0
    scores, result = json.loads(capsys.readouterr().out), json.loads((trained / "result.json").read_text())
    assert scores["mean squared error"] == pytest.approx(result["value"], rel=1e-4)
    assert scores["accuracy %"] == pytest.approx(result["scores"]["accuracy %"], rel=1e-4)


@pytest.mark.exhaustive
@pytest.mark.parametrize("task", ["copy", "selective_copy", "recall"])
def test_scores_of_sequences_of_tokens_in_a_file(tmp_path, task):
    fields = {"task": task, "length": 24, "held_out": 32, "hidden_size": 4, "cell": "gru"}
    config = EXPERIMENT.configure(fields)
    params, rebuild = config.model.labelers(config.tasks, jax.random.key(0))
    predictor = EXPERIMENT.predictor(Trained(Run(tmp_path), config, rebuild, params))
    (file := tmp_path / "test.txt").write_text(in_lines(config, 32))
    items = list(predictor.read(str(file), labelled=True))
    scores = predictor.measures([item.label for item in items], predictor.answer([item.value for item in items]))
    for name, value in scores_at_length(config, rebuild, params, config.length).items():
        assert scores[name] == pytest.approx(value, rel=1e-4)
