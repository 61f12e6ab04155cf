"""What comes after the end of new tables that are not quite as the one that was learned from."""

import json

import numpy as np
import pytest

from experiments.forecasting import EXPERIMENT
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
        file = write(folder / f"{name}.csv", table(offset))
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
