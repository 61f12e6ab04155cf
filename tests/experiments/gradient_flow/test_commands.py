"""Gradients of small networks, side by side, as a user has it."""

import json

import jax
import numpy as np
import pytest

from experiments.common.synthetic import Adding
from experiments.gradient_flow import EXPERIMENT
from rnn_jax.train import key_for
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = [
    "--length", "12", "--batch-size", "4", "--hidden-size", "4", "--steps", "4", "--steps-per-dispatch", "2",
    "--evaluate-every", "2",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    runs = tmp_path_factory.mktemp("flows")
    assert command("--cells", "elman,lstm", *SMALL, "--runs", runs, "--name", "a") == 0
    return runs / "gradient_flow"


@pytest.mark.exhaustive
def test_both_networks_are_diagnosed_and_drawn(folder, tmp_path):
    assert (folder / "a-elman/figures/compared.png").stat().st_size > 10_000
    for cell, layer in (("elman", "0 Elman"), ("lstm", "0 LSTM")):
        records = json.loads((folder / f"a-{cell}" / "diagnosis.json").read_text())["records"]
        assert [r["step"] for r in records] == [0, 2, 4] and all(len(r["flow"][layer]) == 12 for r in records)
        result = json.loads((folder / f"a-{cell}" / "result.json").read_text())
        flow = records[0]["flow"][layer]
        assert result["scores"][f"{layer}, update 0"] == pytest.approx(flow[0] / max(flow)) and flow[0] < flow[-1]
        for figure in ("flow", "curves", "diagnosis"):
            assert (folder / f"a-{cell}" / "figures" / f"{figure}.png").stat().st_size > 10_000
    assert command("draw", folder / "a-elman", folder / "a-lstm", "--out", tmp_path / "f.png") == 0
    assert (tmp_path / "f.png").read_bytes() == (folder / "a-elman/figures/compared.png").read_bytes()


@pytest.mark.exhaustive
def test_one_network_interrupted_resumes_to_the_same_diagnosis(folder, tmp_path, capsys):
    run = tmp_path / "gradient_flow" / "run"
    command.interrupted(capsys, run, "train", "--cell", "lstm", *SMALL)
    for file in ("diagnosis.json", "result.json"):
        resumed, whole = (json.loads((path / file).read_text()) for path in (run, folder / "a-lstm"))
        assert resumed | {"seconds": 0} == whole | {"seconds": 0}


def ts(sequences) -> str:
    """Sequences `[T, 2]` as a file .ts has them."""
    rows = [":".join(",".join(map(str, channel)) for channel in np.asarray(one).T.tolist()) for one in sequences]
    return "\n".join(["@classLabel false", "@data", *rows])


@pytest.mark.exhaustive
def test_new_sequences_are_answered_the_same_everywhere(folder, tmp_path, capsys):
    rng = np.random.default_rng(0)
    sequences = [np.stack([rng.random(n), np.arange(n) % (n - 1) == 0], axis=1).astype(np.float32) for n in (12, 5, 9)]
    (good := tmp_path / "good.ts").write_text(ts(sequences))
    (bad := tmp_path / "bad.ts").write_text(ts([sequences[0], 2 * sequences[1], sequences[2]]))
    run = folder / "a-lstm"
    check_answers(EXPERIMENT, run, capsys, good=good, bad=bad, refused=4, labelled=good, tolerance=1e-4)
    bad.write_text("@classLabel false\n@data\n1,0:1,0:1,0\n")
    assert "3 channels: expected 2, numbers and their marks" in command.refused(capsys, "predict", run, bad)


def test_the_error_on_the_validation_sequences_in_a_file_is_that_of_the_result(folder, tmp_path, capsys):
    run = folder / "a-lstm"
    key = jax.random.fold_in(key_for(EXPERIMENT.load(run).config.fit.seed, "validation"), 0)
    sample = jax.jit(lambda key: Adding().sample(key, 500, 12))(key)
    (file := tmp_path / "same.ts").write_text(ts(np.asarray(sample.inputs).swapaxes(0, 1)))
    capsys.readouterr()
    assert command("evaluate", run, "--data", file, "--format", "json") == 0
    scores, result = json.loads(capsys.readouterr().out), json.loads((run / "result.json").read_text())
    assert scores["inputs"] == 500 and scores["squared error"] == pytest.approx(result["value"], rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["draw", "nowhere"], "is not a run"),
        (["compare", "--length", "1", "--cells", "gru"], "length=1: expected at least 2"),
        (["compare", "--cells", "nothing"], "cell='nothing' is unknown"),
        (["train", "--batch-size", "0"], "batch_size=0"),
    ],
)
def test_mistakes_end_in_one_clear_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    said = command.refused(capsys, *arguments)
    assert message in said, said
