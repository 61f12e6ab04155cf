"""Rolling origins: which they are, what each forecast knows, and what is said of them."""

import json
import sys

import numpy as np
import pytest

from experiments.forecasting import EXPERIMENT
from experiments.forecasting.backtest import by_step, origins_of, until
from experiments.forecasting.intervals import Bands
from experiments.forecasting.windows import Scaling, Windows
from tests.experiments.as_user import Commands
from tests.experiments.forecasting.small_panel import make_panel
from tests.experiments.forecasting.test_commands import SMALL, write_table

command = Commands(EXPERIMENT)
PANEL = make_panel(steps=120, missing=0)
WINDOWS = Windows(PANEL, Scaling.fit(PANEL, PANEL.validation), 4, 3)
TEST = WINDOWS.parts(PANEL.validation)["test"]


def test_origins_are_the_last_ones_so_many_steps_apart():
    chosen = origins_of(WINDOWS, TEST, 3, 5)
    assert np.unique(chosen[:, 1]).tolist() == [106, 111, 116] and np.bincount(chosen[:, 0]).tolist() == [3, 3]
    assert len(np.unique(origins_of(WINDOWS, TEST, 22, 1)[:, 1])) == 22
    with pytest.raises(ValueError, match="the test part of 24 steps has room for 5 origins 5 steps apart with 3 steps"):
        origins_of(WINDOWS, TEST, 6, 5)


def test_what_is_known_at_an_origin_ends_there():
    known = until(PANEL, 106, 3, 24)
    assert (known.validation, known.test, len(known.times)) == (83, 107, 110)
    windows = Windows(known, Scaling.fit(known, known.validation), 4, 3)
    parts = windows.parts(known.validation)
    assert parts["test"].tolist() == [[0, 106], [1, 106]]
    assert parts["validation"][:, 1].max() + 3 <= 106 and parts["training"][:, 1].max() + 3 < 83


def test_errors_are_means_over_origins_and_bands_are_counted():
    examples = np.array([[0, 10], [0, 20], [1, 10], [1, 20]])
    target = np.array([[1.0, 2.0], [3.0, np.nan], [1.0, 2.0], [5.0, 6.0]])
    points = {"here": np.zeros((4, 2)), "other": target + 1}
    ends = np.full((4, 2, 2), 2.0)
    rows = by_step(examples, target, points, Bands(-ends, ends * [1, 2]), positive=False)
    assert [row["here"] for row in rows] == [2.5, pytest.approx(10 / 3)] and rows[1]["targets"] == 3
    assert rows[0]["other"] == 1 and "low" not in rows[0], "two origins make no interval"
    many = np.stack([np.zeros(30, int), np.arange(30)], axis=1)
    errors = np.random.default_rng(0).exponential(size=(30, 1))
    (row,) = by_step(many, errors, {"here": np.zeros((30, 1))}, None, positive=False)
    assert 0 <= row["low"] < errors.mean() < row["high"]
    assert rows[0]["coverage of 80%"] == 0.5 and rows[0]["coverage of 90%"] == 0.75
    assert rows[0]["width of 80%"] == 4
    (row,) = by_step(examples[:1], np.array([[4.0]]), {"here": np.array([[2.0]])}, None, positive=True)
    assert row["here"] == pytest.approx(2 - np.log(2) - 1) and "low" not in row


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backtest")
    write_table(folder / "own.csv")
    words = ["--csv", folder / "own.csv", "--target", "load", *SMALL, "--conformal", "split", "--runs", folder]
    assert command(*words, "--name", "run") == 0
    return folder / "forecasting" / "run"


@pytest.mark.exhaustive
def test_the_model_of_a_run_forecasts_from_each_origin(trained, capsys):
    assert command("backtest", trained, "--origins", 5) == 0
    said, found = capsys.readouterr().out, json.loads((trained / "backtest.json").read_text())
    assert (found["step"], found["refit"], len(found["origins"])) == (3, "none", 5)
    assert [row["ahead"] for row in found["by_step"]] == [1, 2, 3]
    assert {"persistence", "ridge regression", "Theta method", "coverage of 80%"} <= found["by_step"][0].keys()
    assert f"{found['by_step'][2]['here']:.4g} [" in said and "from 5 origins" in said
    assert (trained / "figures" / "backtest.png").stat().st_size > 10_000
    assert command("backtest", trained, "--origins", 95, "--step", 1) == 0
    every = json.loads((trained / "backtest.json").read_text())["by_step"][-1]["here"]
    last_step = json.loads((trained / "result.json").read_text())["value"]
    assert every == pytest.approx(last_step, rel=0.02), "nearly all windows of the test part"


@pytest.mark.exhaustive
def test_refitted_models_know_what_was_there_before_their_origin(trained, capsys, monkeypatch):
    seen = []
    module = sys.modules[by_step.__module__]  # the command of this name hides it
    make_task = module.make_task

    def watched(config, windows, parts):
        seen.append((len(windows.panel.times), windows.panel.test, windows.panel.test - windows.panel.validation))
        return make_task(config, windows, parts)

    monkeypatch.setattr(module, "make_task", watched)
    before = sorted(file for file in trained.rglob("*") if "backtest" not in file.name)
    assert command("backtest", trained, "--origins", 2, "--step", 10, "--refit", "each") == 0
    assert seen == [(490, 487, 50), (500, 497, 50)]
    found = json.loads((trained / "backtest.json").read_text())
    assert found["refit"] == "each" and np.isfinite(found["by_step"][0]["here"])
    assert sorted(file for file in trained.rglob("*") if "backtest" not in file.name) == before


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--origins", "200"], "origins=200, step=3: the test part of 100 steps has room for"),
        (["--origins", "0"], "origins=0"),
        (["--step", "-1"], "step=-1"),
    ],
)
def test_what_does_not_fit_is_refused(trained, words, message, capsys):
    assert message in command.refused(capsys, "backtest", trained, *words)
