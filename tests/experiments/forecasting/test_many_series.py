"""One model of many shops: train it on counts with prices known ahead, draw paths, answer new tables and score them."""

import csv
import functools
import io
import json

import numpy as np
import pytest

from experiments.forecasting import EXPERIMENT
from experiments.forecasting.commands import draw_paths, windows_of
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
STEPS, HORIZON = 60, 3
SMALL = [
    "--target", "sales", "--by", "shop", "--known-future", "price,offer", "--static", "kind", "--horizon", HORIZON,
    "--window", 8, "--season", 0, "--calendar", "week", "--hidden-size", 6, "--batch-size", 32, "--steps", 40,
    "--steps-per-dispatch", 20, "--evaluate-every", 20, "--warmup-steps", 5, "--learning-rate", 0.02, "--dropout", 0,
    "--recurrent-dropout", 0, "--means", "1,7",
]  # fmt: skip
HEAD = "day,shop,sales,price,offer,kind,note"


def shop_rows(shop: str, seed: int, begin: int = 0, more: int = HORIZON) -> list[str]:
    """Sales that follow the price of the same day, and nothing else."""
    rng, rows = np.random.default_rng(seed), []
    for t in range(STEPS + more):
        price, offer = rng.integers(1, 5), ("yes", "no")[int(rng.random() < 0.7)]
        sales = rng.poisson((3 + 4 * (seed % 3)) * (5 - price) * (2 if offer == "yes" else 1))
        known = t < STEPS
        day = np.datetime64("2024-01-01") + t
        if t >= begin:
            rows.append(f"{day},{shop},{sales if known else ''},{price},{offer},{'ab'[seed % 2]},{t if known else ''}")
    return rows


def write(path, *rows: list[str]):
    path.write_text("\n".join([HEAD, *(row for one in rows for row in one)]) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shops")
    write(folder / "shops.csv", *(shop_rows(f"shop {i}", i, begin=(0, 0, 20)[i % 3]) for i in range(6)))
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    """Of each decoding a run, trained for the first test that asks for it."""

    @functools.cache
    def run(name):
        kind = {
            "direct": ["--output", "student_t"],
            "paths": ["--output", "negative_binomial", "--decoding", "ancestral"],
        }[name]
        assert command("--csv", folder / "shops.csv", *SMALL, *kind, "--runs", folder, "--name", name) == 0
        return folder / "forecasting" / name

    return run


one_of_each_decoding = pytest.mark.parametrize("name", ["direct", pytest.param("paths", marks=pytest.mark.exhaustive)])


@pytest.mark.exhaustive
@one_of_each_decoding
def test_what_is_known_ahead_is_used(trained, name):
    """Ridge regression sees the price of the next day alone, so that three days ahead it knows nothing."""
    result = json.loads((trained(name) / "result.json").read_text())
    assert result["value"] < 0.8 * result["baseline"]["persistence"]
    assert result["value"] < 0.8 * result["baseline"]["ridge regression"]
    assert 0.6 < result["scores"]["coverage of the 90% band"] < 0.99


@pytest.mark.exhaustive
@one_of_each_decoding
def test_answers_to_new_tables(trained, folder, capsys, name):
    """A shop that was not there in training is answered, too; one whose prices are not known ahead is not."""
    good = write(folder / "good.csv", shop_rows("shop 1", 1), shop_rows("new", 8))
    bad = write(folder / "bad.csv", shop_rows("shop 1", 1), shop_rows("shop 2", 2, more=1), shop_rows("shop 3", 3))
    check_answers(
        EXPERIMENT, trained(name), capsys, good=good, bad=bad, refused="shop 2", labelled=good, tolerance=1e-4
    )


@pytest.mark.exhaustive
def test_rows_of_answers(trained, folder, capsys, monkeypatch):
    run = trained("direct")
    capsys.readouterr()
    good = write(folder / "good.csv", shop_rows("shop 1", 1), shop_rows("new", 8))
    assert command("predict", run, good, "--format", "csv") == 0
    told = capsys.readouterr()
    assert "1 series are not in the training part (new): scaled by what they have here" in told.err
    rows = list(csv.DictReader(io.StringIO(told.out)))
    assert [(row["series"], row["step"]) for row in rows] == [(s, str(h)) for s in ("new", "shop 1") for h in (1, 2, 3)]
    assert [row["time"] for row in rows[:3]] == ["2024-03-01", "2024-03-02", "2024-03-03"]
    assert all(float(row["quantiles.5%"]) < float(row["forecast"]) < float(row["quantiles.95%"]) for row in rows)
    assert {row["unit"] for row in rows} == {"sales"} and rows[0]["id"] == "new 2024-03-01"
    standard_input = io.TextIOWrapper(io.BytesIO(good.read_bytes()))
    monkeypatch.setattr("sys.stdin", standard_input)
    assert command("predict", run, "-", "--format", "csv") == 0
    streamed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["id"] for row in streamed] == [row["id"] for row in rows]
    np.testing.assert_allclose(
        [float(row["forecast"]) for row in streamed], [float(row["forecast"]) for row in rows], rtol=1e-4
    )


@pytest.mark.exhaustive
def test_scores_of_new_data(trained, folder, capsys):
    run = trained("direct")
    capsys.readouterr()
    file = write(folder / "newer.csv", shop_rows("shop 1", 7))
    assert command("evaluate", run, "--data", file, "--format", "json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["inputs"] == STEPS - 8 - HORIZON + 1 and scores["MASE"] < 0.8
    assert list(scores["by step ahead"]) == ["1", "2", "3"]
    means = [scores["by step ahead"][h]["MAE"] for h in "123"]
    assert scores["MAE"] == pytest.approx(np.mean(means), rel=1e-4)
    assert 0 < scores["CRPS by 5 quantiles"] < scores["MAE"] and 0.5 < scores["coverage of the 90% band"] <= 1


@pytest.mark.exhaustive
def test_paths_of_a_run(trained, folder, capsys):
    run = trained("paths")
    capsys.readouterr()
    assert command("forecast", run, "--paths", 7) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 6 * HORIZON and rows[0]["time"] == "2024-03-01"
    paths = np.array([[float(row[f"path {i}"]) for i in range(1, 8)] for row in rows])
    assert (paths == np.round(paths)).all() and paths.min() >= 0, "sales are counts"
    np.testing.assert_allclose([float(row["forecast"]) for row in rows], np.median(paths, axis=1))
    assert command("forecast", run, "--paths", 7) == 0
    assert list(csv.DictReader(io.StringIO(capsys.readouterr().out))) == rows
    loaded = EXPERIMENT.load(run)
    drawn = draw_paths(loaded, windows_of(loaded), 50, seed=1)
    totals = np.quantile(drawn.of(np.sum), [0.1, 0.9], axis=1)
    assert drawn.values.shape == (6, 50, HORIZON) and (totals[1] > totals[0]).all()
    said = command.refused(capsys, "forecast", trained("direct"), "--paths", 7)
    assert "paths=7: the steps of decoding='direct' are each forecast for itself, which makes no path" in said


@pytest.mark.exhaustive
def test_tables_that_do_not_fit_are_refused(trained, folder, capsys):
    rows = shop_rows("shop 1", 1)
    (folder / "other.csv").write_text("\n".join([HEAD.replace("price", "prize"), *rows]))
    said = command.refused(capsys, "predict", trained("direct"), folder / "other.csv")
    assert "has no column 'price'" in said
    short = write(folder / "short.csv", shop_rows("shop 1", 1, begin=55))
    said = command.refused(capsys, "forecast", trained("direct"), "--csv", short)
    assert "the series have 5 steps: expected at least one window of 8" in said
    fewer = write(folder / "fewer.csv", shop_rows("shop 1", 1, more=0))
    said = command.refused(capsys, "forecast", trained("direct"), "--csv", fewer)
    assert "column 'price' of 'shop 1' is not known at 2024-03-01" in said
