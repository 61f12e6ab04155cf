"""Anomaly detection on a table of one's own: train, stop, resume, evaluate, detect as rows come, and every mistake."""

import io
import json
import sys

import numpy as np
import pytest

from experiments.anomaly_detection import EXPERIMENT
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = (
    "--learn 200 --ahead 3 --hidden-size 4 --steps 40 --steps-per-dispatch 10 --evaluate-every 20 --warmup-steps 5 "
    "--learning-rate 0.03 --dropout 0 --short 10 --beyond 0.1"
).split()


def table(rows: int = 400, anomaly: int = 300) -> list[str]:
    """A load with a daily cycle, gaps and one peak, and a switch that is always on, until then."""
    rng = np.random.default_rng(0)
    times = np.datetime64("2024-01-01T00:00:00") + np.arange(rows) * np.timedelta64(1, "h")
    load = 10 + 3 * np.sin(2 * np.pi * np.arange(rows) / 24) + 0.1 * rng.normal(size=rows)
    load[anomaly : anomaly + 3] = 25
    lines = [f"{t},{x:.3f},{int(i < anomaly)}" for i, (t, x) in enumerate(zip(times, load, strict=True))]
    for row, cell in ((50, "N/A"), (90, ""), (250, "nan")):
        lines[row] = f"{times[row]},{cell},1"
    return ["when,load,on", *lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.csv").write_text("\n".join(table()))
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    assert command("--csv", folder / "own.csv", *SMALL, "--runs", folder, "--name", "run") == 0
    return folder / "anomaly_detection" / "run"


def test_a_run_says_everything_about_itself(trained, capsys):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "error / error of the last known value" and not result["higher_is_better"]
    assert result["baseline"] == {"last known value": 1.0} and not result["published"]
    assert result["scores"]["alarms, load"] >= 1 and result["scores"]["alarms, on"] >= 1
    assert json.loads((trained / "scales.json").read_text())["on"] == {"centre": 1.0, "unit": 1.0, "gap": 1.0}
    for figure in ("curves", "alarms", "series/00-load", "series/01-on"):
        assert (trained / "figures" / f"{figure}.png").stat().st_size > 10_000
    text = (trained / "sample.txt").read_text()
    assert "  alarm   2024-01-13 12:00:00  25, expected " in text and "12:00:00  0, expected " in text
    capsys.readouterr()
    assert command("evaluate", trained) == 0
    assert f"{result['value']:9.2f}  {result['metric']}" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, folder, tmp_path, capsys):
    run = tmp_path / "anomaly_detection" / "run"
    command.interrupted(capsys, run, "--csv", folder / "own.csv", *SMALL)
    result, expected = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["scores"] == expected["scores"] and result["value"] == expected["value"]


def test_alarms_from_a_file_and_from_standard_input(trained, folder, tmp_path, capsys, monkeypatch):
    file = tmp_path / "later.csv"
    file.write_text("\n".join(line.rpartition(",")[0] for line in table(anomaly=350)))
    capsys.readouterr()
    assert command("detect", trained, file, "--series", "load") == 0
    lines = capsys.readouterr().out
    assert lines.startswith("2024-01-15 14:00:00  25, expected ") and ", anomaly score " in lines.splitlines()[0]
    renamed = file.read_text().replace("load", "power")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(renamed.encode())))
    assert command("detect", trained, "--series", "load", "--column", "power") == 0
    assert capsys.readouterr().out == lines
    assert command("detect", trained, file, "--series", "load", "--silent", "390") == 0
    assert capsys.readouterr().out == ""


def test_an_alarm_comes_before_a_line_that_cannot_be_read(trained, capsys, monkeypatch):
    lines = table(anomaly=350)
    lines[370] = lines[360]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
    capsys.readouterr()
    assert command("detect", trained, "--series", "on") == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("2024-01-15 14:00:00  0, expected ")
    assert "standard input, line 371: column 'when': '2024-01-15T23:00:00' after 2024-01-16 08:00:00" in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--csv", "own.csv", "--column", "laod"],
            "own.csv has no column 'laod': did you mean 'load'? its columns are",
        ),
        (["--csv", "none.csv"], "none.csv' cannot be read: No such file"),
        (["--csv", "words.csv"], "words.csv, line 7: column 'load': 'high' is no finite number"),
        (["--csv", "unsorted.csv"], "unsorted.csv, line 6: column 'when': '2024-01-01T02:00:00' after"),
        (["--csv", "repeated.csv"], "repeated.csv, line 4: column 'when': '2024-01-01T01:00:00' again: times must"),
        (["--csv", "own.csv", "--learn", "0"], "load: 60 rows to learn from: expected 62 at least for ahead=26"),
        (["--csv", "own.csv", "--learn", "400"], "load has 400 rows: expected values after the first 400"),
        (["--beta", "2"], "learn=200, beta=2.0: expected at least 0, and a number from 0 to 1"),
        (["detect", "RUN", "own.csv"], "series='': expected one that the run has learned: load, on"),
        (["detect", "RUN", "none.csv", "--series", "on"], "No such file or directory: 'none.csv'"),
        (["detect", "RUN", "own.csv", "--series", "on", "--column", "of"], "own.csv has no column 'of'"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    lines = table()
    for name, row, line in (
        ("own", 1, lines[1]),
        ("words", 6, "2024-01-01T05:00:00,high,1"),
        ("unsorted", 5, lines[3]),
        ("repeated", 3, lines[2]),
    ):
        (tmp_path / f"{name}.csv").write_text("\n".join([*lines[:row], line, *lines[row + 1 :]]))
    if arguments[0] != "detect":
        arguments = [*SMALL, "--ahead", "26", *arguments]
    assert message in (error := command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))), error
