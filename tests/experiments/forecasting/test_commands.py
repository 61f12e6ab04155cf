"""Forecasting on a table of one's own: train, stop, resume, evaluate, forecast, and every mistake."""

import csv
import io
import json

import numpy as np
import pytest

from experiments.forecasting import EXPERIMENT
from experiments.forecasting.tasks import WeatherConfig
from rnn_jax.train import flatten
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = [
    "--horizon", "3", "--window", "24", "--season", "24", "--hidden-size", "8", "--batch-size", "16", "--steps", "40",
    "--steps-per-dispatch", "10", "--evaluate-every", "20", "--warmup-steps", "5", "--learning-rate", "0.02",
    "--dropout", "0", "--calendar", "day", "--means", "1,6",
]  # fmt: skip
OWN = ["--csv", "DATA", "--target", "load"]


def write_table(path, hours: int = 500) -> None:
    """A load with a daily cycle that follows a hint by one hour, with gaps."""
    rng = np.random.default_rng(0)
    times = np.datetime64("2020-01-01T00:00") + np.arange(hours) * np.timedelta64(1, "h")
    hint = rng.normal(size=hours + 1)
    load = 10 + 3 * np.sin(2 * np.pi * np.arange(hours) / 24) + 2 * hint[:-1] + 0.1 * rng.normal(size=hours)
    lines = [f"{t},{y:.3f},{z:.3f}" for t, y, z in zip(times, load, hint[1:], strict=True)]
    lines[100] = f"{times[100]},N/A,0"
    del lines[200]
    path.write_text("\n".join(["when,load,hint", *lines]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    write_table(folder / "own.csv")
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    own = [str(folder / "own.csv") if a == "DATA" else a for a in OWN]
    assert command(*own, *SMALL, "--runs", folder, "--name", "run") == 0
    return folder / "forecasting" / "run"


def test_a_run_says_everything_about_itself(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "mean absolute error, load, 3 steps ahead" and not result["higher_is_better"]
    assert set(result["baseline"]) == {
        "persistence", "seasonal persistence", "ridge regression", "exponential smoothing", "Theta method",
    }  # fmt: skip
    assert result["value"] < result["baseline"]["persistence"]
    assert 0 < result["scores"]["coverage of the 90% band"] <= 1
    for figure in ("curves", "errors", "forecasts"):
        assert (trained / "figures" / f"{figure}.png").stat().st_size > 10_000
    assert "worst: series, moment" in (trained / "sample.txt").read_text()
    assert json.loads((trained / "panel.json").read_text())["names"] == ["load", "hint"]


@pytest.mark.parametrize(
    ("arguments", "suited"),
    [
        (["--task", "stocks"], {"output": "variance", "horizon": 1, "window": 22}),
        (["--task", "returns", "--window", "5", "--means", "5"], {"output": "gaussian", "horizon": 1, "window": 5}),
        (["--csv", "a.csv", "--target", "b"], {"task": "own", "output": "quantile", "window": 48, "season": 1}),
        ([], {"task": "weather", "output": "quantile", "window": 24, "season": 24}),
    ],
)
def test_what_is_not_said_suits_the_task(arguments, suited):
    fields = flatten(command.config(*arguments))
    assert {name: fields[name] for name in suited} == suited


def test_evaluate_gives_the_value_of_the_result(trained, capsys):
    assert command("evaluate", trained) == 0
    value = json.loads((trained / "result.json").read_text())["value"]
    assert f"{value:8.4f}  here" in capsys.readouterr().out


def forecasts(capsys, *arguments) -> list[dict[str, str]]:
    capsys.readouterr()
    assert command("forecast", *arguments) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_what_comes_after_the_end_of_the_data_or_of_newer_data(trained, tmp_path, capsys):
    rows = forecasts(capsys, trained)
    assert [row["time"] for row in rows] == [f"2020-01-21T{hour}:00:00" for hour in (20, 21, 22)]
    assert all(float(row["5%"]) <= float(row["forecast"]) <= float(row["95%"]) for row in rows)
    newer = (trained.parents[1] / "own.csv").read_text().splitlines()
    (tmp_path / "newer.csv").write_text("\n".join([newer[0], *newer[-30:]]))
    # The window is the same; only a scaling fitted anew could tell.
    assert forecasts(capsys, trained, "--csv", tmp_path / "newer.csv") == rows
    (tmp_path / "short.csv").write_text("\n".join([newer[0], *newer[-10:]]))
    said = command.refused(capsys, "forecast", trained, "--csv", tmp_path / "short.csv")
    assert "the series have 10 steps: expected at least one window of 24" in said
    daily = [f"2020-{i // 28 + 1:02d}-{i % 28 + 1:02d},{line.partition(',')[2]}" for i, line in enumerate(newer[-28:])]
    (tmp_path / "daily.csv").write_text("\n".join([newer[0], *daily]))
    said = command.refused(capsys, "forecast", trained, "--csv", tmp_path / "daily.csv")
    assert "has steps of 1 day: expected steps of 1 hour, as in training" in said
    (tmp_path / "other.csv").write_text("\n".join(line.replace("hint", "clue") for line in newer))
    said = command.refused(capsys, "forecast", trained, "--csv", tmp_path / "other.csv")
    assert "has no column 'hint': its columns are when, load, clue; the model reads load, hint, by these names" in said


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "forecasting" / "run"
    own = [str(trained.parents[1] / "own.csv") if a == "DATA" else a for a in OWN]
    command.interrupted(capsys, run, *own, *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["value"] == wanted["value"] and result["scores"] == wanted["scores"]


@pytest.mark.exhaustive
def test_a_normal_distribution_from_all_data_by_a_transformer_of_equal_size(folder, tmp_path):
    flags = ["--csv", folder / "own.csv", "--target", "load", "--runs", tmp_path, "--name", "run"]
    kind = ["--model", "transformer", "--heads", "1", "--transformer-layers", "1", "--hidden-size", "66"]
    settled = ["--output", "gaussian", "--no-hold-out", "--steps", 10, "--evaluate-every", 10]
    assert command(*flags, *SMALL, *kind, *settled) == 0
    result = json.loads((tmp_path / "forecasting/run/result.json").read_text())
    assert result["model"] == "transformer, 1 layers, direct" and np.isfinite(result["value"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "nowhere.csv", "--target", "load"], "'nowhere.csv' cannot be read"),
        (["--csv", "DATA"], "target='': a table of your own needs both"),
        (["--csv", "DATA", "--target", "laod"], "has no column 'laod' to forecast"),
        (["--csv", "DATA", "--target", "load", "--columns", "hnit"], "has no column 'hnit': did you mean 'hint'?"),
        (["--csv", "DATA", "--target", "load", "--window", "400"], "have no window of 400 steps with a known load"),
        (["--csv", "words.csv", "--target", "load"], "words.csv, line 3: column 'load': 'high' is no finite number"),
        (["--csv", "again.csv", "--target", "load"], "again.csv, line 3: column 'when': '2020-01-01' again"),
        (["--csv", "still.csv", "--target", "load"], "load is 5 throughout in the 42 steps of the training part"),
        (["--csv", "DATA", "--target", "load", "--calendar", "moon"], "calendar='moon': 'moon' is none of day"),
        (["--task", "stocks", "--output", "quantile"], "stocks go with variance"),
        (["--no-hold-out"], f"nothing to choose an update by: use evaluate_every={WeatherConfig().fit.steps}"),
        (["forecast", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_end_in_one_clear_line(folder, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.csv").write_text("when,load\n2020-01-01,1\n2020-01-02,high\n")
    (tmp_path / "again.csv").write_text("when,load\n2020-01-01,1\n2020-01-01,2\n")
    days = [f"2020-{month:02d}-{day:02d},5" for month in (1, 2) for day in range(1, 32 if month == 1 else 30)]
    (tmp_path / "still.csv").write_text("\n".join(["when,load", *days]))
    said = command.refused(capsys, *(folder / "own.csv" if a == "DATA" else a for a in arguments))
    assert message in said, said
