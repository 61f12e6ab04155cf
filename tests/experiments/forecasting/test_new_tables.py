"""What comes after the end of new tables that are not quite as the one that was learned from."""

import csv
import io
import json
from datetime import datetime

import numpy as np
import pytest

from experiments.forecasting import EXPERIMENT
from rnn_jax.interop.stablehlo import load_program
from tests.experiments.answers import sizes_with_names
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = (
    "--target load --horizon 3 --window 8 --hidden-size 4 --steps 2 --steps-per-dispatch 1 --evaluate-every 1 "
    "--warmup-steps 1 --batch-size 8 --averaging 0"
).split()
ROWS = 60


def table(
    offset: str = "+02:00", *, load: dict[int, str] | None = None, temp: dict[int, str] | None = None, shift: int = 0
) -> list[list[str]]:
    """A load and a temperature every hour, with their header; single cells may be changed."""
    hours = np.datetime64("2024-01-01T00:00:00") + (np.arange(ROWS) + shift) * np.timedelta64(1, "h")
    wave = np.sin(np.arange(ROWS) / 4)
    rows = [
        [f"{when}{offset}", (load or {}).get(i, f"{20 + 5 * x:.2f}"), (temp or {}).get(i, f"{10 - 3 * x:.2f}")]
        for i, (when, x) in enumerate(zip(hours, wave, strict=True))
    ]
    return [["when", "load", "temp"], *rows]


def write(path, rows: list[list[str]], delimiter: str = ","):
    path.write_text("".join(f"{delimiter.join(row)}\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    for name, offset in (("zoned", "+02:00"), ("plain", "")):
        file = write(folder / f"{name}.csv", table(offset, load={5: "", 30: ""} if name == "plain" else None))
        assert command("--csv", file, *SMALL, "--runs", folder, "--name", name) == 0
    return folder


def run_of(folder, name: str = "zoned"):
    return folder / "forecasting" / name


def forecasts(capsys, *arguments) -> tuple[list[float], list[str], str]:
    """What is forecast, for when, and what is said beside."""
    capsys.readouterr()
    assert command("predict", *arguments, "--format", "json") == 0
    told = capsys.readouterr()
    records = [json.loads(line) for line in told.out.splitlines()]
    return [record["forecast"] for record in records], [record["time"] for record in records], told.err


@pytest.mark.exhaustive
@pytest.mark.parametrize("column", ["load", "temp"])
def test_a_window_without_any_value_is_refused(folder, tmp_path, capsys, column):
    """One value in the window is enough; none is not, be it of the target or of what it is forecast from."""
    cells = {column: dict.fromkeys(range(ROWS - 8, ROWS), "")}
    file = write(tmp_path / "empty.csv", table(**cells))
    said = command.refused(capsys, "predict", run_of(folder), file)
    assert f"column {column!r} has no value in the 8 rows that are read, 2024-01-03 04:00:00+02:00 to" in said
    assert "(52 of 60 rows have one): fill some in" in said
    del cells[column][ROWS - 8]
    assert len(forecasts(capsys, run_of(folder), write(tmp_path / "one.csv", table(**cells)))[0]) == 3


def test_a_column_without_any_value_has_no_score(folder, tmp_path, capsys):
    file = write(tmp_path / "empty.csv", table(temp=dict.fromkeys(range(ROWS), "")))
    assert "column 'temp' has no value in any" in command.refused(capsys, "evaluate", run_of(folder), "--data", file)


@pytest.mark.exhaustive
def test_times_without_offsets_are_not_taken_for_those_of_utc(folder, tmp_path, capsys):
    plain = write(tmp_path / "plain.csv", table("", shift=1))  # an hour later in Berlin's winter than with +02:00
    said = command.refused(capsys, "predict", run_of(folder), plain)
    assert "plain.csv, column 'when': its times have no offset from UTC" in said and "--zone Europe/Berlin" in said
    assert "no offset from UTC" in command.refused(capsys, "evaluate", run_of(folder), "--data", plain)
    assert "no offset from UTC" in command.refused(capsys, "forecast", run_of(folder), "--csv", plain)
    found, times, _ = forecasts(capsys, run_of(folder), plain, "--zone", "Africa/Cairo")
    moved = write(tmp_path / "moved.csv", table(shift=1))
    assert found == forecasts(capsys, run_of(folder), moved)[0] and times[0] == "2024-01-03T13:00:00+02:00"
    zoned = write(tmp_path / "zoned.csv", table())
    said = command.refused(capsys, "predict", run_of(folder, "plain"), zoned)
    assert "write them without an offset" in said
    mixed = table()
    mixed[5][0] = mixed[5][0].removesuffix("+02:00")
    said = command.refused(capsys, "predict", run_of(folder), write(tmp_path / "mixed.csv", mixed))
    assert "mixed.csv, line 6: column 'when': '2024-01-01T04:00:00': either all times have an offset" in said


@pytest.mark.exhaustive
def test_a_new_table_may_be_written_in_another_way(folder, tmp_path, capsys):
    usual = forecasts(capsys, run_of(folder), write(tmp_path / "usual.csv", table()))
    _, *rows = table()
    other = [["x", "load", "temp", "Zeit"]]
    other += [["1", load.replace(".", ","), temp.replace(".", ","), when] for when, load, temp in rows[::-1]]
    file = write(tmp_path / "other.csv", other, ";")
    said = command.refused(capsys, "predict", run_of(folder), file)
    assert "has no column 'when': " in said and "--time names the column with the times" in said
    words = ["--time", "Zeit", "--sort", "--delimiter", ";", "--decimal", ","]
    assert forecasts(capsys, run_of(folder), file, *words)[:2] == usual[:2]
    assert command("evaluate", run_of(folder), "--data", file, *words) == 0


def test_other_columns_are_passed_over_and_missing_ones_named(folder, tmp_path, capsys):
    usual, _, said = forecasts(capsys, run_of(folder), write(tmp_path / "usual.csv", table()))
    assert "not read" not in said
    more = [[row[0], "remark" if i == 0 else "all well", *row[:0:-1]] for i, row in enumerate(table())]
    found, _, said = forecasts(capsys, run_of(folder), write(tmp_path / "more.csv", more))
    assert found == usual and "note: not read: remark\n" in said
    lacks = write(tmp_path / "lacks.csv", [row[:2] for row in table()])
    said = command.refused(capsys, "predict", run_of(folder), lacks)
    assert "has no column 'temp': its columns are when, load; the model reads load, temp" in said
    assert "{" not in said and "[" not in said
    words = write(tmp_path / "words.csv", table(temp=dict.fromkeys(range(ROWS), "warm")))
    said = command.refused(capsys, "predict", run_of(folder), words)
    assert "column 'temp' has words ('warm'), which had numbers in training" in said


@pytest.mark.parametrize(
    ("cells", "lines", "more"),
    [
        ({"load": {58: "100000"}}, [60], ""),
        ({"load": {3: "-100000"}}, [5], ""),
        ({"load": {3: "1e5", 58: "1e5"}}, [5, 60], ", and 1 more value of it"),
        ({"load": dict.fromkeys(range(ROWS), "1e5")}, range(2, 62), ", and 59 more values of it"),
        ({"temp": {59: "283.2"}}, [61], ""),
    ],
)
def test_values_far_outside_of_training_are_noted(folder, tmp_path, capsys, cells, lines, more):
    ((column, changed),) = cells.items()
    said = forecasts(capsys, run_of(folder), write(tmp_path / "far.csv", table(**cells)))[2]
    (note,) = [line for line in said.splitlines() if "far outside of training" in line]
    where, _, rest = note.removeprefix(f"note: column {column!r}: ").partition(")")
    value, _, place = where.partition(" (")
    assert float(value) == float(changed[next(iter(changed))])
    assert any(place.startswith(f"line {line}, 2024-01-0") for line in lines)
    training = [float(row[1 if column == "load" else 2]) for row in table()[1 : 1 + ROWS * 7 // 10]]
    assert rest.startswith(f"{more} far outside of training, {min(training):g} to {max(training):g}: ")


def test_usual_values_are_not_noted(folder, tmp_path, capsys):
    said = forecasts(capsys, run_of(folder), write(tmp_path / "usual.csv", table(load={58: "26", 59: "12"})))[2]
    assert "far outside" not in said


def as_described(described: dict, file, program) -> list[float]:
    """What is forecast of a table by preprocessing.json and the program alone."""
    rows, scaling = list(csv.DictReader(io.StringIO(file.read_text()))), described["scaling"]
    columns = {name: np.array([float(row[name] or "nan") for row in rows]) for name in described["names"]}
    days = np.array([(datetime.fromisoformat(row["when"]) - datetime(2001, 1, 1)).total_seconds() for row in rows])
    days /= 86_400
    periods = {"day": 1, "week": 7, "year": 365.2425}

    def feature(kind: str, of: str) -> np.ndarray:
        if kind == "past":
            k = described["names"].index(of)
            x, last = (columns[of] - scaling["shift"][0][k]) / scaling["factor"][0][k], 0.0
            return np.array([last := value if value == value else last for value in x])
        if kind == "missing":
            return np.isnan(columns[of]).astype(float)
        return {"cos": np.cos, "sin": np.sin}[kind](2 * np.pi * days / periods[of])

    features = np.stack([feature(**one) for one in described["features"]], axis=1)[-described["window"] :]
    outputs = np.asarray(program(inputs=features[:, None].astype(np.float32)))[0]
    middle = np.sort(outputs, axis=-1)[:, described["levels"].index(0.5)]
    return (middle * scaling["target_factor"][0] + scaling["target_shift"][0]).tolist()


def test_forecasts_can_be_reproduced_from_what_is_exported(folder, tmp_path, capsys):
    run = run_of(folder, "plain")
    with sizes_with_names():
        assert command("export", run, "--output", tmp_path / "out") == 0
    described = json.loads((tmp_path / "out" / "preprocessing.json").read_text())
    assert [one["kind"] for one in described["features"]] == ["past"] * 2 + ["missing"] + ["cos"] * 3 + ["sin"] * 3
    assert {one["kind"] for one in described["features"]} <= described["rules"].keys()
    program = load_program(tmp_path / "out" / "model.rnn")
    for cells in ({}, {"load": {50: "", 57: "", 58: ""}, "temp": {59: ""}}, {"temp": dict.fromkeys(range(53), "")}):
        file = write(tmp_path / "new.csv", table("", **cells))
        found = as_described(described, file, program)
        np.testing.assert_allclose(found, forecasts(capsys, run, file)[0], rtol=1e-5)


def test_messages_name_no_options_that_there_are_not(folder, tmp_path, capsys):
    """What can be said in training alone is no remedy for a new table."""
    told = [forecasts(capsys, run_of(folder), write(tmp_path / "a.csv", table(load={59: ""})))[2]]
    again = table()
    again[30] = [again[29][0], "1", "2"]
    off = table()
    off[30][0] = off[30][0].replace(":00:00+", ":20:00+")
    for rows in (table(temp={30: "warm"}), again, off):
        told.append(command.refused(capsys, "predict", run_of(folder), write(tmp_path / "b.csv", rows)))
    assert "the last 1 row of a series have no load" in told[0] and "'warm' is no finite number" in told[1]
    assert "times must rise" in told[2] and "is not on the grid" in told[3]
    for said in told:
        for option in ("--known-future", "--categorical", "--no-fill-gaps", "tells several series apart"):
            assert option not in said
