import io
import sys
import types
from pathlib import Path

import pytest

from rnn_jax.train.console import Console, rounded

ROOT = Path(__file__).parents[2]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_and_a_file_gets_lines():
    said = {}
    for stream in (Terminal(), io.StringIO()):
        console = Console(total=20, start=5, interval=0.0, stream=stream)
        console.show(10, {"loss": 1.25})
        console.scores(10, "validation_loss 1.5")
        console.show(20, {"loss": 0.5})
        console.close()
        said[stream.isatty()] = stream.getvalue()
    assert "\r" in said[True] and "20/20" in said[True] and "validation_loss 1.5" in said[True]
    lines = said[False].splitlines()
    assert "\r" not in said[False] and len(lines) == 3
    assert lines[0].startswith("step 10/20  loss 1.25") and "s left" in lines[0]


def test_lines_come_no_more_often_than_the_interval():
    stream = io.StringIO()
    console = Console(total=1000, interval=60.0, stream=stream)
    for step in range(100):
        console.show(step, {"loss": 1.0})
    assert stream.getvalue() == ""


def test_a_notebook_gets_one_bar_with_the_newest_evaluation_and_no_lines(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", types.ModuleType("ipykernel.zmqshell"))
    console = Console(total=20)
    console.show(10, {"loss": 1.25})
    console.scores(10, "validation_loss 1.5")
    console.show(20, {"loss": 0.5})
    console.scores(20, "validation_loss 1.1  (best)")
    console.line("gradients explode")
    console.close()
    said = capsys.readouterr().err
    assert "validation_loss 1.5" in said and "loss 0.5  validation_loss 1.1  (best)" in said.split("\r")[-1]
    assert [line for line in said.splitlines() if "step 10/20" in line] == []


@pytest.mark.exhaustive
def test_a_model_is_trained_and_loaded_in_the_kernel_of_a_notebook(tmp_path):
    """Orbax and signals beside the event loop of a kernel; the docs need these packages, the tests do not."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [
        f"""
from pathlib import Path
import jax, rnn_jax
from tests.experiments import tiny_study
from rnn_jax.train import RunOptions, train_experiment
train_experiment(tiny_study.EXPERIMENT, tiny_study.Config(), RunOptions(runs=Path({str(tmp_path)!r}), name="run"))
""",
        f"print(rnn_jax.load_run({str(tmp_path / 'tiny_study' / 'run')!r}).model['w'].shape)",
        "cell = rnn_jax.LSTM(2, 3)\n"
        "rnn_jax.unroll(cell, cell.init(jax.random.key(0)), jax.numpy.ones((5, 2))).ys.shape, cell",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, kernel_name="python3", timeout=120, resources={"metadata": {"path": ROOT}}).execute()
    said = [
        "".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in c.outputs) for c in book.cells
    ]
    assert "8/8" in said[0] and "step 4/8" not in said[0] and said[1] == "(2,)\n"
    assert said[2] == "((5, 3), LSTM(input_size=2, hidden_size=3))"


def test_a_number_has_four_digits_and_all_before_the_point():
    assert [rounded(v) for v in (3.9123e-05, 0.016666, 1.5, 97.3123, 12345.678, -12345.678, 1e20, float("nan"))] == [
        "3.912e-05", "0.01667", "1.5", "97.31", "12,346", "-12,346", "1e+20", "nan",
    ]  # fmt: skip
