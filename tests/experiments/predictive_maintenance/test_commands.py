"""Predictive maintenance on engines of one's own: train, stop, resume, evaluate, predict, and mistakes."""

import dataclasses
import gzip
import json
import shutil

import numpy as np
import pytest

from experiments.predictive_maintenance import EXPERIMENT
from experiments.predictive_maintenance.commands import say_engines
from experiments.predictive_maintenance.data import hold_out_engines, read_engines
from experiments.predictive_maintenance.features import SensorScaling
from rnn_jax.data import DataError
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = ["--cap", "20", "--hidden-size", "16", "--batch-size", "8", "--steps", "80", "--steps-per-dispatch", "10"]
SMALL += ["--evaluate-every", "40", "--warmup-steps", "5", "--learning-rate", "0.02", "--dropout", "0"]


def engine_rows(rng, number: int, length: int, truncated: int = 0) -> list[str]:
    """Sensors under two operating conditions that rise as the engine wears."""
    rows = []
    for cycle in range(1, length - truncated + 1):
        altitude, wear = rng.choice([0.0, 20.0]), np.exp(-(length - cycle) / 10)
        sensors = 5 * altitude + wear * np.arange(21) + 0.1 * rng.normal(size=21)
        rows.append(" ".join(map(str, [number, cycle, altitude, 0.25, 100, *sensors.round(3)])))
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("engines"), np.random.default_rng(0)
    lengths = rng.integers(35, 50, size=50)
    train = [row for i in range(40) for row in engine_rows(rng, i + 1, int(lengths[i]))]
    test = [row for i in range(40, 50) for row in engine_rows(rng, i - 39, int(lengths[i]), truncated=2 * i - 78)]
    (folder / "train_OWN.txt").write_text("\n".join(train))
    (folder / "test_OWN.txt").write_text("\n".join(test))
    (folder / "RUL_OWN.txt").write_text("\n".join(str(2 * i - 78) for i in range(40, 50)))
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    assert command("--data", folder, "--subset", "OWN", "--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "predictive_maintenance" / "run"


def test_a_run_says_everything_about_itself(trained, capsys):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "RMSE, cycles" and not result["higher_is_better"] and not result["published"]
    assert result["value"] < 4 < result["baseline"]["the training lives' mean"]
    assert result["scores"]["rmse"] == result["value"] and result["scores"]["nasa score"] > 0
    for name in ("curves", "engines", "test"):
        assert (trained / "figures" / f"{name}.png").stat().st_size > 10_000
    assert len((trained / "sample.txt").read_text().splitlines()) == 10
    assert json.loads((trained / "scale.json").read_text())["conditions"] == [[0, 100], [20, 100]]
    of_validation = ("validation rmse", "stretch")
    capsys.readouterr()
    assert command("evaluate", trained) == 0
    lines = [f"{value:10.2f}  {name}" for name, value in result["scores"].items() if name not in of_validation]
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, folder, tmp_path, capsys):
    run = tmp_path / "predictive_maintenance" / "run"
    command.interrupted(capsys, run, "--data", folder, "--subset", "OWN", *SMALL)
    result, expected = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["scores"] == expected["scores"]


def test_it_predicts_the_engines_of_a_file(trained, folder, tmp_path, capsys):
    file = tmp_path / "mine.txt"
    rows = (folder / "test_OWN.txt").read_text().splitlines()
    chosen = [row for row in rows if row.split()[0] in ("1", "9")]
    file.write_text("\n".join([*chosen, rows[0].replace("1", "77", 1)]))
    capsys.readouterr()
    assert command("predict", trained, file) == 0
    one, other, short = capsys.readouterr().out.splitlines()
    assert one.startswith("engine 1: after ") and short.startswith("engine 77: after 1 cycles ")
    ruls = [int(line.split(" left")[0].split()[-1]) for line in (one, other)]
    assert ruls[0] < 8 < ruls[1], "2 and 18 cycles are left"


def changed(folder, to, name: str, change) -> None:
    """The files of a folder in another one, the rows of one of them changed."""
    for file in folder.glob("*_OWN.txt"):
        shutil.copy(file, to / file.name)
    rows = [row.split() for row in (to / name).read_text().splitlines()]
    (to / name).write_bytes(gzip.compress("\n".join(" ".join(change(row)) for row in rows).encode()))


def test_conditions_of_the_test_that_training_lacks_are_found_before_it(folder, tmp_path, capsys):
    changed(folder, tmp_path, "test_OWN.txt", lambda row: [*row[:2], "35" if row[0] == "3" else row[2], *row[3:]])
    words = ["--data", tmp_path, "--subset", "OWN", "--runs", tmp_path / "runs", "--name", "run", *SMALL]
    said = command.refused(capsys, *words)
    assert "engine 3, cycle 1: settings 35, 0.25, 100, a condition that no training engine flew in" in said
    assert not (tmp_path / "runs").exists()


def test_what_was_read_is_said_with_sensors_in_another_unit(folder, trained, tmp_path, capsys):
    changed(folder, tmp_path, "test_OWN.txt", lambda row: [*row[:12], f"{1000 * float(row[12]):.3f}", *row[13:]])
    training, validation = hold_out_engines(read_engines(folder / "train_OWN.txt"))
    test, scaling = read_engines(tmp_path / "test_OWN.txt"), SensorScaling.fit(training)
    say_engines(training, validation, test, scaling)
    said = capsys.readouterr().err
    assert "engines: 32 for training" in said and "21 of 21 sensors vary; 2 operating conditions" in said
    assert said.count("note:") == 1 and "note: sensor 8 is up to " in said and "in the same unit?" in said
    assert command("predict", trained, tmp_path / "test_OWN.txt") == 0
    assert "note: sensor 8 is up to " in capsys.readouterr().err
    short = dataclasses.replace(test[0], sensors=test[0].sensors[:9], settings=test[0].settings[:9])
    with pytest.raises(DataError, match="no engine for validation has 31 cycles"):
        say_engines(training, [short], test, scaling)


def test_predictions_need_a_finished_run(trained, tmp_path, capsys):
    run = tmp_path / "predictive_maintenance" / "run"
    shutil.copytree(trained, run)
    (run / "stretch.json").unlink()
    message = f"is not finished: python -m experiments.predictive_maintenance resume {run}"
    assert message in command.refused(capsys, "evaluate", run)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subset", "FD003"], "subset='FD003' is not in the catalogue"),
        (["--data", "."], "data='.' has no train_FD001.txt; its training files: none"),
        (["--cap", "0"], "cap=0: expected an int of at least 1"),
        (["--bidirectional"], "bidirectional=True would let the model see how long an engine lives"),
        (["predict", "RUN", "nowhere.txt"], "nowhere.txt' cannot be read: No such file"),
        (["predict", "RUN", "narrow.txt"], "narrow.txt, row 1: 3 columns, expected 26"),
        (["predict", "RUN", "high.txt"], "engine 1, cycle 1: settings 42, 0.25, 100, a condition that no training"),
        (["evaluate", "RUN", "--subset", "FD002"], "has no train_FD002.txt; its training files: train_OWN.txt"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "narrow.txt").write_text("1 1 0.0")
    (tmp_path / "high.txt").write_text(" ".join(["1", "1", "42.0", "0.25", "100", *["1"] * 21]))
    error = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in error, error
