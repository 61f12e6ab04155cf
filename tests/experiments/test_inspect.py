"""What is to be seen inside of a trained model, as a user has it."""

import pytest

from experiments.cli import run_command
from experiments.gradient_flow import EXPERIMENT
from experiments.inspect import inspect
from tests.experiments.as_user import Commands

SMALL = [
    "--cell", "lstm", "--length", "12", "--batch-size", "4", "--hidden-size", "4", "--steps", "4",
    "--steps-per-dispatch", "2", "--evaluate-every", "4",
]  # fmt: skip


def look(*arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        run_command(inspect, [str(a) for a in arguments])
    return stopped.value.code


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    runs = tmp_path_factory.mktemp("inspected")
    assert Commands(EXPERIMENT)("train", *SMALL, "--runs", runs, "--name", "run") == 0
    return runs / "gradient_flow" / "run"


@pytest.mark.exhaustive
def test_every_page_of_a_run_is_written_and_drawn(trained, capsys):
    assert look(trained, "--row", 2, "--steps", 10) == 0
    written = capsys.readouterr().out
    for page in ("gates\n  0 LSTM: i ", "hidden states\n  ", "gradient flow\n  0 LSTM: ", "saliency\n  by integrated"):
        assert page in written
    for figure in ("gates-0", "states", "flow", "saliency"):
        file = trained / "figures" / f"inspect-{figure}.png"
        assert file.stat().st_size > 5_000 and f"figure: {file}" in written
    assert (trained / "inspection.txt").read_text() in written


@pytest.mark.exhaustive
def test_rows_are_counted_around(trained, capsys):
    assert look(trained, "--row", 4 + 2, "--steps", 10) == 0  # of a batch of four
    around = capsys.readouterr().out
    assert look(trained, "--row", 2, "--steps", 10) == 0
    assert capsys.readouterr().out == around


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "is not a run"),
        (["RUN", "--steps", "0"], "steps=0"),
        (["STRANGE"], "experiment='experiments.strange' is asked for by a file"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest.json").write_text('{"program": "rnn_jax", "experiment": "strange", "starts": []}')
    assert look(*({"RUN": trained, "STRANGE": tmp_path}.get(a, a) for a in arguments)) in (1, 2)
    said = " ".join(capsys.readouterr().err.split())
    assert message in said and "Traceback" not in said, said


def test_one_command_alone_shows_its_page(capsys):
    assert look("--help") == 0
    page = capsys.readouterr().out
    assert "What goes on inside of a trained model?" in page and "inspect inspect" not in page
