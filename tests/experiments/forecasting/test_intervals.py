"""Conformal bands of forecasts: each against its definition, and what a user sees of them."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from experiments.forecasting import EXPERIMENT
from experiments.forecasting.intervals import (
    RATE,
    SHARES,
    Bands,
    Conformal,
    Part,
    own_bands,
    score_intervals,
    with_margins,
)
from experiments.forecasting.outputs import Forecast, Gaussian
from experiments.forecasting.tasks import TASKS
from experiments.forecasting.windows import Scaling, Windows
from rnn_jax.conformal import AdaptiveConformal
from rnn_jax.data import DataError
from rnn_jax.metrics import coverage
from rnn_jax.train import flatten
from tests.experiments.as_user import Commands
from tests.experiments.forecasting.small_panel import make_panel
from tests.experiments.forecasting.test_commands import SMALL, write_table

command = Commands(EXPERIMENT)


def parts(seed: int = 0, steps: int = 400, level: float = 3.0) -> tuple[Windows, Part, Part]:
    """Validation and test part of a panel, forecast badly: noise around `level`, with quantiles that are too near."""
    panel = make_panel(seed, steps)
    windows = Windows(panel, Scaling.fit(panel, panel.validation), 4, 3)
    rng, found = np.random.default_rng(seed), []
    for name in ("validation", "test"):
        examples = windows.parts(panel.validation)[name]
        point = level + rng.normal(size=(len(examples), 3))
        quantiles = point[..., None] + np.array([-1, -0.5, 0, 0.5, 1])
        found.append(Part(examples, Forecast(point, quantiles), windows.targets(examples, scaled=False)))
    return windows, *found


def test_bands_of_a_normal_distribution_are_those_of_its_own_quantiles():
    raw = np.array([[[2.0, np.log(3.0)]]])
    forecast = Forecast(np.array([[2.0]]), np.asarray(Gaussian().quantiles(raw)))
    bands = own_bands(forecast)
    np.testing.assert_allclose(bands.low[0, 0], 2 - 3 * np.array([1.28155, 1.64485]), rtol=1e-4)
    np.testing.assert_allclose(bands.high[0, 0], 2 + 3 * np.array([1.28155, 1.64485]), rtol=1e-4)
    quantiles, levels = bands.quantiles(forecast.point)
    assert levels == pytest.approx([0.05, 0.1, 0.5, 0.9, 0.95]) and (np.diff(quantiles[0, 0]) > 0).all()


@pytest.mark.parametrize("quantiles", [True, False])
def test_split_bands_hold_on_the_calibration_part_what_they_promise(quantiles):
    windows, calibration, _ = parts()
    if not quantiles:
        calibration = calibration._replace(forecast=calibration.forecast._replace(quantiles=None))
    bands, margins = Conformal("split", windows, calibration).bands(calibration)
    count = len(calibration.examples)
    for i, share in enumerate(SHARES):
        for h in range(3):
            held = coverage(bands.low[:, h, i], bands.high[:, h, i], calibration.target[:, h])
            assert share <= held < share + 5 / count
    if not quantiles:  # of points: the residuals in deviations of the target of each series, of both series together
        factor = windows.scaling.target_factor[calibration.examples[:, 0]]
        residuals = (np.abs(calibration.target - calibration.forecast.point) / factor[:, None])[:, 2]
        assert np.isclose(np.sort(residuals), margins[0, 2, 1]).any()


@pytest.mark.parametrize("step", [1, 2])
def test_adaptive_bands_are_those_of_a_stream_whose_targets_come_when_they_come(step):
    windows, calibration, test = parts(1)
    test = test.rows(test.examples[:, 1] % step == 0)
    bands, after = Conformal("adaptive", windows, calibration).bands(test, step)
    s, h, i = 1, 2, 0  # the second series, three steps ahead, 80 %
    factor, own, before = windows.scaling.target_factor[s], test.examples[:, 0] == s, calibration.examples[:, 0] == s

    def scores(part: Part, rows: np.ndarray) -> np.ndarray:
        ends = own_bands(part.forecast)
        low, high = ends.low[rows][:, h, i], ends.high[rows][:, h, i]
        return np.maximum(low - part.target[rows][:, h], part.target[rows][:, h] - high) / factor

    stream = AdaptiveConformal(scores(calibration, before), SHARES[i], RATE, bounded=True)
    last, came, given = test.examples[own, 1], scores(test, own), {}
    for now in range(last[0], last[-1] + 7, step):
        for k in np.flatnonzero((last + h + 1 <= now) & (last + h + 1 > now - step)):
            stream.update(came[k], given[last[k]])
        given[now] = stream.margin
    wanted = np.array([given[t] for t in last]) * factor
    np.testing.assert_allclose(own_bands(test.forecast).low[own][:, h, i] - bands.low[own][:, h, i], wanted)
    assert after[s, h, i] == pytest.approx(stream.margin)


def test_later_targets_change_no_band():
    windows, calibration, test = parts(2)
    changed = test._replace(target=np.where(test.examples[:, 1:] > 350, 1e3, test.target))
    ours, theirs = (Conformal("adaptive", windows, calibration).bands(part)[0] for part in (test, changed))
    same = test.examples[:, 1] <= 351
    np.testing.assert_array_equal(ours.low[same], theirs.low[same])
    assert (ours.low != theirs.low).any()


def test_bands_of_a_variance_are_positive_and_hold_what_they_promise():
    windows, calibration, _ = parts(3)
    forecast = Forecast(np.exp(calibration.forecast.point), None)
    positive = calibration._replace(target=np.exp(calibration.target), forecast=forecast)
    bands, _ = Conformal("split", windows, positive, positive=True).bands(positive)
    assert (bands.low > 0).all() and coverage(bands.low[..., 1], bands.high[..., 1], positive.target) >= 0.9


def test_ends_never_change_places_and_scores_are_their_definitions():
    bands = Bands(np.full((1, 1, 2), 1.0), np.full((1, 1, 2), 2.0)).widened(np.array([-3.0, 1.0]))
    assert bands.low.ravel().tolist() == [1.5, 0] and bands.high.ravel().tolist() == [1.5, 3]
    scores = score_intervals(bands, np.array([[1.5]]), np.array([[2.0]]), "split")
    assert scores["split coverage of the 80% band"] == 0 and scores["split coverage of the 90% band, last step"] == 1
    assert scores["split interval score of the 80% band"] == pytest.approx(0.5 * 2 / 0.2)
    assert scores["split width of the 90% band"] == 3 and scores["split CRPS"] > 0


def test_a_calibration_part_that_is_too_short_is_refused():
    windows, calibration, _ = parts()
    few = calibration.rows(np.arange(8))
    with pytest.raises(DataError, match=r"conformal='split': the validation part has [5-8] windows .* at least 9 for"):
        Conformal("split", windows, few)
    with pytest.raises(DataError, match="has 0 windows with a known m: expected at least 9 of each series"):
        Conformal("adaptive", windows, few)


def test_margins_are_in_deviations_of_each_series():
    windows, calibration, _ = parts()
    bands = with_margins(windows, calibration.examples, calibration.forecast, np.full((1, 3, 2), 2.0))
    wide = (own_bands(calibration.forecast).low - bands.low)[:, 0, 0]
    np.testing.assert_allclose(wide, 2 * windows.scaling.target_factor[calibration.examples[:, 0]])


@pytest.mark.exhaustive
def test_a_run_has_its_bands_scored_and_forecasts_with_them(tmp_path, capsys):
    write_table(tmp_path / "own.csv")
    words = ["--csv", tmp_path / "own.csv", "--target", "load", *SMALL, "--runs", tmp_path]
    for kind in ("none", "adaptive"):
        assert command(*words, "--conformal", kind, "--name", kind) == 0
    plain, banded = (
        json.loads((tmp_path / "forecasting" / kind / "result.json").read_text()) for kind in ("none", "adaptive")
    )
    assert banded["value"] == plain["value"] and plain["scores"].items() <= banded["scores"].items()
    added = banded["scores"].keys() - plain["scores"].keys()
    assert {"adaptive coverage of the 80% band", "adaptive CRPS", "CRPS"} <= added
    capsys.readouterr()
    assert command("evaluate", tmp_path / "forecasting" / "adaptive") == 0
    assert f"adaptive CRPS: {banded['scores']['adaptive CRPS']:.4g}" in capsys.readouterr().out
    assert command("forecast", tmp_path / "forecasting" / "adaptive") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["time", "forecast", "5%", "10%", "50%", "90%", "95%"] and len(rows) == 3
    numbers = np.array([[float(row[name]) for name in ("5%", "10%", "50%", "90%", "95%")] for row in rows])
    assert (np.diff(numbers) >= 0).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--conformal sure", "conformal='sure': expected one of 'none', 'split', 'adaptive'"),
        ("--conformal split --no-hold-out --evaluate-every 200", "is not trained on: use hold_out"),
    ],
)
def test_what_cannot_be_is_said_before_training(words, message, capsys):
    assert message in command.refused(capsys, *words.split())


@pytest.mark.parametrize("task", ["weather", "etth1"])
def test_a_config_from_before_has_no_conformal_bands(task):
    config = TASKS[task]()
    stored = {name: value for name, value in flatten(config).items() if name != "conformal"}
    assert EXPERIMENT.configure(EXPERIMENT.today(stored)) == config
    assert dataclasses.replace(config, conformal="split") != config
