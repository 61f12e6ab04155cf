"""Scores of predictions: hand-worked cases, and engines truncated at random."""

import numpy as np
import pytest

from experiments.predictive_maintenance.data import Engine
from experiments.predictive_maintenance.model import RULPrediction
from experiments.predictive_maintenance.scores import prediction_line, rul_scores, spread_by_error, truncation_errors
from rnn_jax.models.gaussian import WIDTH
from tests.experiments.predictive_maintenance.small_engines import CAP, make_engines


def predict(*values: tuple[float, float]) -> list[RULPrediction]:
    """Means, and half widths of their intervals, after the second cycle of engines."""
    return [
        RULPrediction(np.array([0, mean], np.float32), np.array([1, half / WIDTH], np.float32)) for mean, half in values
    ]


def engine(final_rul: int) -> Engine:
    return Engine(1, np.zeros((2, 3)), np.zeros((2, 21)), final_rul)


def test_scores_of_three_engines():
    # Capped, 10 predicted is 2 late, 16 of 20 is 4 early, 20 of 20 (30 in truth) is right.
    engines, predictions = [engine(8), engine(20), engine(30)], predict((10, 5), (16, 3), (20, 4))
    scores = rul_scores(engines, predictions, CAP)
    assert scores["rmse"] == pytest.approx(np.sqrt((4 + 16) / 3))
    assert scores["rmse, lives not capped"] == pytest.approx(np.sqrt((4 + 16 + 100) / 3))
    assert scores["nasa score"] == pytest.approx(np.exp(0.2) - 1 + np.exp(4 / 13) - 1)
    assert scores["nasa score, lives not capped"] == pytest.approx(scores["nasa score"] + np.exp(10 / 13) - 1)
    assert scores["coverage of 90 % intervals"] == pytest.approx(200 / 3) and scores["longer than the cap"] == 1
    assert scores["width of 90 % intervals"] == pytest.approx((10 + 6 + 4) / 3)
    assert spread_by_error(engines, predictions, CAP) == [2, 0, 1]
    line = prediction_line(engine(8), predictions[0], CAP)
    assert line == "engine 1: after 2 cycles 10 left, 90 % interval 5 to 15"
    assert prediction_line(engine(30), predictions[2], CAP).endswith("16 to 20 or more")


def test_engines_are_truncated_at_any_cycle_that_a_test_engine_may_end_at():
    engines = make_engines(4)
    predictions = [RULPrediction(np.zeros(len(e), np.float32), np.full(len(e), 5, np.float32)) for e in engines]
    ruls = [len(e) - cycle for e in engines for cycle in range(10, len(e) + 1)]
    errors = [min(rul, CAP) for rul in ruls if rul <= 1.2 * CAP]
    result = truncation_errors(engines, predictions, CAP, shortest=10)
    assert result.rmse == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    stretched = [RULPrediction(p.mean, result.stretch * p.std) for p in predictions]
    assert truncation_errors(engines, stretched, CAP, shortest=10).stretch == pytest.approx(1)
    assert np.mean(np.array(errors) <= WIDTH * result.stretch * 5 + 1e-4) >= 0.9
    with pytest.raises(ValueError, match="no engine has 99 cycles"):
        truncation_errors(engines, predictions, CAP, shortest=99)
