import ast
import dataclasses
import json
import os
from pathlib import Path

import jax
import pytest
import tyro

from benchmarks import dispatch, regression, report
from benchmarks.compare import Config, Shape, check_equal, main, problem
from benchmarks.compare_table import table
from benchmarks.peers import PEERS, Unavailable, build
from benchmarks.results import Results, read
from benchmarks.timing import rows
from benchmarks.worker import Worker, flat, store_case

SHAPE = Shape(batch=4, length=5, input_size=2, hidden_size=4)


@pytest.fixture(autouse=True)
def usual_rules():
    """Other libraries rely on JAX's usual promotion; what a benchmark sets for its process is taken back."""
    before = jax.config.jax_default_matmul_precision
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
    jax.config.update("jax_default_matmul_precision", before)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("name", PEERS[1:])
def test_a_library_computes_the_same_gru(name):
    cell, params, xs, targets = problem("gru", SHAPE)
    try:
        peer = build(name, cell, params)
    except Unavailable as reason:
        pytest.skip(f"{name}: {reason}")
    check(name, peer, xs[0], targets)


def check(name, peer, xs, targets):
    arrays = flat({"found": peer.results(xs, targets), "params": peer.params})
    check_equal(name, peer.cell, arrays, xs, targets, {})


def swapped(params):
    """The first two gates in the wrong order."""
    size = SHAPE.hidden_size
    return jax.tree.map(lambda a: a.at[..., :size].set(a[..., size : 2 * size]), params)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ours: {"weights": swapped(ours.weights)}, "theirs: outputs differ from rnn_jax's by"),
        (lambda ours: {"pull": swapped}, r"theirs: gradient of \['params'\]\['input'\]\['bias'\] differ"),
    ],
)
def test_another_network_is_not_timed(change, message):
    cell, params, xs, targets = problem("lstm", SHAPE)
    ours = build("rnn_jax", cell, params)
    with pytest.raises(ValueError, match=message):
        check("theirs", dataclasses.replace(ours, **change(ours)), xs[0], targets)


@pytest.mark.exhaustive
def test_a_whole_comparison_with_nothing_but_jax(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.compare.COMPILATIONS", 1)
    path = tmp_path / "results.json"
    peers = ("sequential", "cudnn")
    config = Config(cells=("elman",), shapes=("3,5,2,4",), peers=peers, seconds=0.0, output=path)
    main(config)
    measured = path.read_text()
    main(config)  # goes on after the last case: nothing is left to measure
    assert path.read_text() == measured
    stored = json.loads(measured)
    assert [(row["measure"], row["program"]) for row in stored["rows"]] == [
        (measure, program)
        for measure in ("forward", "training", "single", "streaming", "compile", "memory")
        for program in ("rnn_jax", "sequential")
        if (measure, program) != ("streaming", "sequential")  # a step is the same by any method
    ]
    assert stored["processes"] == "own"
    assert os.path.getsize(path.with_suffix(".png")) > 1000
    lines = table(stored).splitlines()
    assert sum(line.startswith("| elman B3 T5 D2 H4 |") for line in lines) == 6
    assert lines[0].startswith("Each library ran in a process of its own")
    said = capsys.readouterr().out
    assert "cudnn is left out: it needs an NVIDIA GPU" in said and "elman B3 T5 D2 H4: rnn_jax" in said


def test_rows_of_one_process_and_of_many_are_not_mixed(tmp_path, capsys):
    for name, processes in (("one", "one"), ("own", "own")):
        Results(tmp_path / name, "compare", processes=processes).add([{"case": "some", "program": "rnn_jax"}])
    with pytest.raises(ValueError, match="has processes 'one', here 'own'"):
        Results(tmp_path / "one", "compare", processes="own")
    assert Results(tmp_path / "own", "compare", processes="own").rows
    assert regression.main(tmp_path / "one", tmp_path / "own") == 1
    assert "cannot be compared" in capsys.readouterr().out


@pytest.fixture
def worker(tmp_path):
    """The process of rnn_jax with a case, when it has said that it is ready."""
    cell, params, xs, targets = problem("elman", SHAPE)
    store_case(tmp_path, cell, params=params, xs=xs, targets=targets)
    worker = Worker("rnn_jax", tmp_path)
    yield worker
    worker.close()
    assert worker.process.returncode is not None


def test_a_process_that_fails_or_dies_is_left_out_with_its_reason(worker):
    assert worker.answer() == {"cell": "Elman", "devices": 1, "compiles": True}
    with pytest.raises(Unavailable, match=r"AttributeError: .*'nonsense'"):
        worker.ask("nonsense")
    assert worker.ask("program", measure="forward")["seconds"] > 0
    assert worker.ask("turn", calls=3)["seconds"] > 0  # it answers after a question that it did not know
    worker.process.kill()
    for _ in range(2):
        with pytest.raises(Unavailable, match="its process ended with signal SIGKILL"):
            worker.ask("turn", calls=1)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (regression, "or bytes may grow, as a part of the old value. (default: 0.05)"),
        (report, "exit with 1 if the tables are not those of the result files."),
        (dispatch, "How often both times are taken, in turns."),
    ],
)
def test_flags_of_a_program_are_explained(program, sentence, capsys):
    with pytest.raises(SystemExit):
        tyro.cli(program.main, args=["--help"])
    assert sentence in " ".join(capsys.readouterr().out.replace("│", "").split())


def test_what_is_a_program_says_so():
    for file in Path(regression.__file__).parent.glob("*.py"):
        text = file.read_text()
        page = ast.get_docstring(ast.parse(text)) or ""
        assert (f"python -m benchmarks.{file.stem}" in page) == ("__main__" in text), file


def test_regressions_are_named(tmp_path, capsys):
    times = {"before": [1.0, 1.1, 1.2], "same": [1.0, 1.1, 1.2], "after": [1.5, 1.6, 1.7]}
    for name, ours in times.items():
        results = Results(tmp_path / name, "compare")
        results.add(rows("training", {"rnn_jax": ours, "torch": [2.0, 2.1, 2.2]}, reference="rnn_jax"))
        results.add([{"case": "memory", "program": "rnn_jax", "bytes": 1000 if name == "before" else 1040}])
    assert regression.main(tmp_path / "before", tmp_path / "same") == 0
    assert regression.main(tmp_path / "after", tmp_path / "before") == 0  # it became faster
    assert "0 became slower" in capsys.readouterr().out
    assert regression.main(tmp_path / "before", tmp_path / "after", tolerance=0.03) == 1
    said = capsys.readouterr().out
    assert "training: rnn_jax: torch's time over its own fell from 1.91 [" in said
    assert "memory: rnn_jax: grew from 1,000 to 1,040 bytes" in said
    assert regression.main(tmp_path / "before", tmp_path / "after", tolerance=0.5) == 0
    assert read(tmp_path / "before")["rows"][1]["program"] == "torch"
