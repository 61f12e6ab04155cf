"""Gradients of small networks, side by side, as a user has it."""

import json

import pytest

from experiments.gradient_flow import EXPERIMENT
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


def test_one_network_interrupted_resumes_to_the_same_diagnosis(folder, tmp_path, capsys):
    run = tmp_path / "gradient_flow" / "run"
    command.interrupted(capsys, run, "train", "--cell", "lstm", *SMALL)
    for file in ("diagnosis.json", "result.json"):
        resumed, whole = (json.loads((path / file).read_text()) for path in (run, folder / "a-lstm"))
        assert resumed | {"seconds": 0} == whole | {"seconds": 0}


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
