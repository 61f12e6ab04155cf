"""Gradients of small networks, side by side, and what is to be seen inside of them, as a user has it."""

import json
from types import SimpleNamespace

import jax
import pytest
from flax import nnx

import rnn_jax
from experiments import inspect
from experiments.cli import run_command, run_commands
from experiments.gradient_flow import commands as gradient_flow
from experiments.state_tracking.data import Parity
from rnn_jax.nnx import Recurrent
from rnn_jax.train import Run

COMMANDS = {name: getattr(gradient_flow, name) for name in ("compare", "train", "resume", "draw")}
SMALL = [
    "--cells", "elman,lstm", "--length", "12", "--batch-size", "4", "--hidden-size", "4", "--steps", "4",
    "--steps-per-dispatch", "2", "--evaluate-every", "2",
]  # fmt: skip


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        run_commands(COMMANDS, "compare", [str(a) for a in arguments])
    return stopped.value.code


def look(*arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        run_command(inspect.inspect, [str(a) for a in arguments])
    return stopped.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    runs = tmp_path_factory.mktemp("flows")
    assert run(*SMALL, "--runs", runs, "--name", "a") == 0
    return runs / "gradient_flow"


def test_both_networks_are_followed_and_drawn(folder, capsys, tmp_path):
    assert (folder / "a-elman/figures/compared.png").stat().st_size > 10_000
    for cell, name in (("elman", "0 Elman"), ("lstm", "0 LSTM")):
        records = json.loads((folder / f"a-{cell}" / "diagnosis.json").read_text())["records"]
        assert [r["step"] for r in records] == [0, 2, 4] and all(len(r["flow"][name]) == 12 for r in records)
        result = json.loads((folder / f"a-{cell}" / "result.json").read_text())
        flow = records[0]["flow"][name]
        assert result["scores"][f"{name}, update 0"] == pytest.approx(flow[0] / max(flow)) and flow[0] < flow[-1]
        for figure in ("flow", "curves", "diagnosis"):
            assert (folder / f"a-{cell}" / "figures" / f"{figure}.png").stat().st_size > 10_000
    assert run("draw", folder / "a-elman", folder / "a-lstm", "--out", tmp_path / "f.png") == 0
    assert (tmp_path / "f.png").read_bytes() == (folder / "a-elman/figures/compared.png").read_bytes()


def test_inspect_shows_what_there_is_and_says_what_there_is_not(folder, capsys):
    assert look(folder / "a-lstm", "--row", 2, "--steps", 10) == 0
    said = capsys.readouterr().out
    for page in ("gates\n  0 LSTM: i ", "hidden states\n  ", "gradient flow\n  0 LSTM: ", "saliency\n  by integrated"):
        assert page in said
    assert "the automaton that a network has become\n  does not apply: for runs of state_tracking" in said
    for figure in ("gates-0", "states", "flow", "saliency"):
        file = folder / "a-lstm" / "figures" / f"inspect-{figure}.png"
        assert file.stat().st_size > 5_000 and f"figure: {file}" in said
    assert (folder / "a-lstm" / "inspection.txt").read_text() in said


def test_the_automaton_of_each_network_is_asked_for(folder):
    layer = Recurrent(rnn_jax.Elman(2, 3), rngs=nnx.Rngs(0))
    config = SimpleNamespace(tasks={"parity": Parity()}, longest=6)
    networks = {"parity": lambda params: lambda inputs: layer(jax.nn.one_hot(inputs, 2)).ys * params}
    module = SimpleNamespace(trained=lambda path: (config, networks, {"parity": 2.0}))
    (said,) = (page() for page in inspect.automaton_pages(module, Run.open(folder / "a-lstm"), 0, 100).values())
    assert "on other sequences of 6 steps" in said


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (run, ["draw", "nowhere"], "is not a run"),
        (run, ["compare", "--length", "1", "--cells", "gru"], "length=1: expected at least 2"),
        (run, ["compare", "--cells", "nothing"], "cell='nothing' is unknown"),
        (look, ["nowhere"], "is not a run"),
        (look, ["RUN", "--steps", "0"], "steps=0"),
        (look, ["STRANGE"], "is of the experiment 'strange', which is not in experiments/"),
    ],
)
def test_mistakes_end_in_one_clear_line(folder, tmp_path, monkeypatch, capsys, command, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest.json").write_text('{"program": "rnn_jax", "experiment": "strange"}')
    arguments = [{"RUN": folder / "a-lstm", "STRANGE": tmp_path}.get(a, a) for a in arguments]
    assert command(*arguments) in (1, 2)
    said = " ".join(capsys.readouterr().err.split())
    assert message in said and "Traceback" not in said, said


def test_one_command_alone_shows_its_page(capsys):
    assert look("--help") == 0
    said = capsys.readouterr().out
    assert "What goes on inside of a trained model?" in said and "inspect inspect" not in said
