"""The baselines: ridge regression beats a constant, and the constant is the mean."""

import numpy as np
import pytest

from experiments.predictive_maintenance.baselines import ridge_errors
from experiments.predictive_maintenance.features import SensorScaling
from tests.experiments.predictive_maintenance.small_engines import CAP, make_engines


def test_the_ridge_baseline_learns_and_beats_a_constant():
    training, test = make_engines(20), make_engines(10, seed=1, final_rul=5)
    errors = ridge_errors(training, test, SensorScaling.fit(training), CAP)
    mean = np.concatenate([np.minimum(e.rul, CAP) for e in training]).mean()
    assert errors["the training lives' mean"] == pytest.approx(abs(mean - 5), rel=1e-5)
    assert errors["ridge regression"] < 4 < errors["the training lives' mean"]
