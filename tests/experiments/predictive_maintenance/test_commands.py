"""Predictive maintenance on engines of one's own: train, stop, resume, evaluate, predict, and mistakes."""

import dataclasses
import gzip
import io
import json
import shutil
import sys

import numpy as np
import pytest

from experiments.predictive_maintenance import EXPERIMENT
from experiments.predictive_maintenance.commands import say_engines
from experiments.predictive_maintenance.data import hold_out_engines, read_engines
from experiments.predictive_maintenance.features import SensorScaling
from experiments.predictive_maintenance.units import UnitColumns, read_units
from rnn_jax.data import DataError
from tests.experiments.answers import check_answers
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


def write_engines(folder) -> None:
    """Files as those of C-MAPSS: 40 engines run to failure, and 10 cut off before."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(35, 50, size=50)
    train = [row for i in range(40) for row in engine_rows(rng, i + 1, int(lengths[i]))]
    test = [row for i in range(40, 50) for row in engine_rows(rng, i - 39, int(lengths[i]), truncated=2 * i - 78)]
    (folder / "train_OWN.txt").write_text("\n".join(train))
    (folder / "test_OWN.txt").write_text("\n".join(test))
    (folder / "RUL_OWN.txt").write_text("\n".join(str(2 * i - 78) for i in range(40, 50)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    write_engines(folder)
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    assert command("--data", folder, "--subset", "OWN", "--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "predictive_maintenance" / "run"


def test_a_run_says_everything_about_itself(trained, capsys):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "RMSE, cycles, RUL capped at 20"
    assert not result["higher_is_better"] and not result["published"]
    assert result["value"] < 4 < result["baseline"]["the training lives' mean"]
    assert result["scores"]["rmse"] == result["value"] and result["scores"]["nasa score"] > 0
    for name in ("curves", "engines", "test"):
        assert (trained / "figures" / f"{name}.png").stat().st_size > 10_000
    *lines, last = (trained / "sample.txt").read_text().splitlines()
    assert len(lines) == 10
    assert f"{result['value']:.2f} cycles" in last and f"{result['scores']['rmse, lives not capped']:.2f} with" in last
    assert json.loads((trained / "scale.json").read_text())["conditions"] == [[0, 100], [20, 100]]
    of_validation = ("validation rmse", "stretch")
    capsys.readouterr()
    assert command("evaluate", trained) == 0
    lines = [f"{value:10.2f}  {name}" for name, value in result["scores"].items() if name not in of_validation]
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.exhaustive
def test_without_a_validation_part_all_engines_are_trained_on(folder, tmp_path, capsys):
    words = ["--data", folder, "--subset", "OWN", "--runs", tmp_path, "--name", "run", *SMALL]
    assert "use evaluate_every=80" in command.refused(capsys, *words, "--no-hold-out")
    assert command(*words, "--no-hold-out", "--evaluate-every", "80") == 0
    said, run = capsys.readouterr().err, tmp_path / "predictive_maintenance" / "run"
    assert "engines: 40 for training" in said and "for validation" not in said
    engines = read_engines(folder / "train_OWN.txt")
    assert json.loads((run / "scale.json").read_text()) == SensorScaling.fit(engines).to_json()
    assert json.loads((run / "stretch.json").read_text()) == {"stretch": 1.0}
    result = json.loads((run / "result.json").read_text())
    assert result["value"] < 4 and not {"validation rmse", "stretch"} & set(result["scores"])


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
    assert command("predict", trained, file, "--format", "json") == 0
    one, other, short = map(json.loads, capsys.readouterr().out.splitlines())
    assert (one["id"], short["id"], short["rows"], one["unit"]) == ("1", "77", 1, "cycles")
    assert one["rul"] < 8 < other["rul"], "2 and 18 cycles are left"
    assert all(0 <= r["90 %"]["low"] <= r["rul"] <= r["90 %"]["high"] <= 20 for r in (one, other, short))


def test_new_engines_are_answered_the_same_everywhere(trained, folder, tmp_path, capsys):
    rows = [row for row in (folder / "test_OWN.txt").read_text().splitlines() if int(row.split()[0]) < 4]
    (good := tmp_path / "good.txt").write_text("\n".join(rows))
    (bad := tmp_path / "bad.txt").write_text("\n".join(row.replace("2 5 ", "2 5 x", 1) for row in rows))
    check_answers(
        EXPERIMENT, trained, capsys, good=good, bad=bad, refused="2", labelled=folder / "test_OWN.txt", tolerance=1e-4
    )


def test_scores_of_the_test_part_are_those_of_the_same_engines_in_a_file(trained, folder, capsys):
    capsys.readouterr()
    assert command("evaluate", trained, "--data", folder / "test_OWN.txt", "--format", "json") == 0
    scores, result = json.loads(capsys.readouterr().out), json.loads((trained / "result.json").read_text())["scores"]
    assert scores.pop("inputs") == 10
    assert scores == pytest.approx({name: result[name] for name in scores}, rel=1e-4) and "nasa score" in scores
    said = command.refused(capsys, "evaluate", trained, "--data", folder / "train_OWN.txt")
    assert "the RUL after the last row of each engine is not known: expected RUL_train_OWN.txt" in said


def test_engines_of_standard_input_are_answered_as_each_is_over(trained, folder, monkeypatch):
    rows = (folder / "test_OWN.txt").read_text().splitlines()
    read = []

    def lines():
        for row in rows:
            read.append(row.split()[0])
            yield row.encode() + b"\n"

    monkeypatch.setattr("experiments.predictive_maintenance.predictor.open_unpacked", lambda stream: lines())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    first = next(iter(EXPERIMENT.predictor(EXPERIMENT.load(trained)).read("-")))
    assert first.id == "1" and read[-1] == "2" and read.count("2") == 1


def test_an_engine_that_comes_again_is_an_error(trained, folder, tmp_path, capsys, monkeypatch):
    """In a file it is not answered at all; in a stream, where it has been, what comes later is refused."""
    rows = (folder / "test_OWN.txt").read_text().splitlines()
    text = "\n".join([*rows[1:], rows[0]])
    (file := tmp_path / "new.txt").write_text(text)
    said = command.refused(capsys, "predict", trained, file)
    assert f"error: 1: {file}, row {len(rows)}, column 1: engine 1 again" in said
    assert "9 inputs were answered, 1 could not be" in said
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join([*rows, rows[0]]).encode())))
    said = command.refused(capsys, "predict", trained, "-")
    assert "engine 1 again" in said and "10 inputs were answered, 1 could not be" in said


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A run on units with names, in a table whose columns have an order of their own."""
    file, rng = tmp_path_factory.mktemp("named") / "pumps.csv", np.random.default_rng(0)
    rows = ["day;heat;pump;load;noise"]
    for number in range(20):
        length = int(rng.integers(34, 45))
        for day in range(length):
            wear = np.exp(-(length - 1 - day) / 8) + 0.05 * rng.normal()
            heat, noise = (f"{value:.3f}".replace(".", ",") for value in (20 + 5 * wear, wear))
            rows.append(f"{np.datetime64('2020-01-01') + day};{heat};P{number};{day % 2};{noise}")
    file.write_text("\n".join(rows))
    columns = ["--unit", "pump", "--time", "day", "--sensors", "noise,heat", "--settings", "load"]
    flags = [*SMALL, "--steps", "20", "--evaluate-every", "20"]
    assert command("--data", file, *columns, "--runs", file.parent, "--name", "run", *flags) == 0
    return file.parent / "predictive_maintenance" / "run"


@pytest.mark.exhaustive
def test_units_of_a_table_with_named_columns(named, tmp_path, capsys):
    scaling = json.loads((named / "scale.json").read_text())
    assert scaling["names"] == ["noise", "heat"] and scaling["conditions"] == [[0], [1]]
    head, *rows = (named.parents[1] / "pumps.csv").read_text().splitlines()
    some = [row for row in rows if row.split(";")[2] in ("P1", "P2", "P3")]
    (good := tmp_path / "good.csv").write_text("\n".join([head, *some]))
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join([head, *(row.replace(";P2;1;", ";P2;1;?") for row in some)]))
    (labelled := tmp_path / "test_own.csv").write_text("\n".join([head, *some]))
    (tmp_path / "RUL_own.txt").write_text("0\n0\n0\n")
    check_answers(EXPERIMENT, named, capsys, good=good, bad=bad, refused="P2", labelled=labelled, tolerance=1e-4)
    assert command("predict", named, good, "--format", "json") == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    last = [row.split(";")[0] for row in some if ";P1;" in row]
    assert (first["time"], first["rows"], first["unit"]) == (last[-1], len(last), "rows")
    said = command.refused(capsys, "predict", named, good, "--sensors", "heat")
    assert "sensors='heat': expected 2 names, for noise, heat" in said
    said = command.refused(capsys, "predict", named, good, "--unit", "pumps")
    assert "has no column 'pumps': did you mean 'pump'? its columns are day, heat, pump, load, noise" in said


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("fault", ["word", "short", "nameless", "apart"])
def test_a_unit_is_never_answered_from_a_part_of_its_rows(named, tmp_path, capsys, fault):
    """Whatever is wrong with a row of the unit in the middle, it has one error and no answer; the others have one."""
    head, *rows = (named.parents[1] / "pumps.csv").read_text().splitlines()
    rows = [row for row in rows if row.split(";")[2] in ("P1", "P2", "P3")]
    at = next(i for i, row in enumerate(rows) if ";P2;" in row) + 3
    day, heat, pump, load, noise = rows[at].split(";")
    changed = {"word": [day, heat, pump, load, "high"], "short": [day, heat], "nameless": [day, heat, "", load, noise]}
    if fault == "apart":
        rows.append(rows.pop(at))
    else:
        rows[at] = ";".join(changed[fault])
    (file := tmp_path / "new.csv").write_text("\n".join([head, *rows]))
    capsys.readouterr()
    assert command("predict", named, file, "--format", "json") == 1
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(record["id"], "error" in record) for record in records] == [("P1", False), ("P2", True), ("P3", False)]
    assert f"line {len(rows) + 1 if fault == 'apart' else at + 2}" in records[1]["error"]


def test_a_row_without_a_unit_refuses_both_units_beside_it(named, tmp_path, capsys):
    head, *rows = (named.parents[1] / "pumps.csv").read_text().splitlines()
    rows = [row for row in rows if row.split(";")[2] in ("P1", "P2", "P3")]
    at = next(i for i, row in enumerate(rows) if ";P2;" in row)
    rows[at] = rows[at].replace(";P2;", ";;")
    (file := tmp_path / "new.csv").write_text("\n".join([head, *rows]))
    said = command.refused(capsys, "predict", named, file)
    assert said.count(f"line {at + 2}: column 'pump' is empty: which unit is it?") == 2
    assert "error: P1: " in said and "error: P2: " in said and "1 inputs were answered, 2 could not be" in said


def test_the_rul_may_be_in_a_column(named, tmp_path, capsys):
    head, *rows = (named.parents[1] / "pumps.csv").read_text().splitlines()
    some = [f"{row};{7 - i}" for i, row in enumerate(rows[:8])]
    (file := tmp_path / "some.csv").write_text("\n".join([f"{head};left", *some]))
    capsys.readouterr()
    assert command("evaluate", named, "--data", file, "--rul", "left", "--format", "json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["inputs"] == 1 and scores["rmse"] == scores["rmse, lives not capped"] > 0
    said = command.refused(capsys, "predict", named, file, "--rul", "left")
    assert "rul='left' is for evaluate --data; leave it out" in said


def test_a_column_that_says_when_a_unit_fails_is_no_sensor(tmp_path, capsys):
    (file := tmp_path / "units.csv").write_text("unit,cycle,heat,RUL\n1,1,3.5,1\n1,2,4.5,0\n")
    assert read_units(file)[1] == ["heat"]
    assert "note: RUL says what is to be predicted, and is not read" in capsys.readouterr().err
    assert read_units(file, UnitColumns(sensors=("RUL", "heat")))[1] == ["RUL", "heat"]


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
    say_engines({"training": training, "validation": validation, "test": test}, scaling)
    said = capsys.readouterr().err
    assert "engines: 32 for training" in said and "21 of 21 sensors vary; 2 operating conditions" in said
    assert said.count("note:") == 1 and "note: sensor 8 is up to " in said and "in the same unit?" in said
    assert command("predict", trained, tmp_path / "test_OWN.txt") == 0
    assert "note: sensor 8 is up to " in capsys.readouterr().err
    short = dataclasses.replace(test[0], sensors=test[0].sensors[:9], settings=test[0].settings[:9])
    with pytest.raises(DataError, match="no engine for validation has 31 cycles"):
        say_engines({"training": training, "validation": [short], "test": test}, scaling)


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
        (["predict", "RUN", "narrow.txt", "--unit", "id"], "unit: the run has learned from files of 26 columns"),
        (["--unit", "id"], "unit='id' names a column of a table .csv: it needs --data with such a table"),
        (["--data", "FOLDER", "--subset", "OWN", "--unit", "id"], "train_OWN.txt has no named columns: leave unit"),
        (
            ["--data", "units.csv", "--unit", "id"],
            "units.csv: say --time NAME, which of its columns has the time",
        ),
        (["--data", "back.csv"], "back.csv, line 3, column 'time': '1' after '2': the rows of a unit rise in time"),
        (["--data", "apart.csv"], "apart.csv, line 4: unit 1 again; the rows of an engine have to stand together"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "narrow.txt").write_text("1 1 0.0")
    (tmp_path / "high.txt").write_text(" ".join(["1", "1", "42.0", "0.25", "100", *["1"] * 21]))
    (tmp_path / "units.csv").write_text("id,x\n1,2\n")
    (tmp_path / "back.csv").write_text("unit,time,x\n1,2,3\n1,1,3\n")
    (tmp_path / "apart.csv").write_text("unit,time,x\n1,2,3\n2,1,3\n1,3,3\n")
    places = {"RUN": trained, "FOLDER": trained.parents[1]}
    error = command.refused(capsys, *(places.get(a, a) for a in arguments))
    assert message in error, error
