"""Scores of detections, labelled or not, and alarms in words."""

import numpy as np
import pytest

from experiments.anomaly_detection.detector import Detection
from experiments.anomaly_detection.features import SeriesScaling
from experiments.anomaly_detection.scores import alarms_text, detection_result, relative_error
from tests.experiments.anomaly_detection.small_series import CONFIG, features_of, make_series


def detection(scores, prediction=0.0) -> Detection:
    return Detection(np.full(len(scores), prediction), *np.ones((2, len(scores))), np.asarray(scores))


def test_scores_of_labelled_series():
    features = [features_of(make_series(name, 150, values=np.zeros(150), windows=((100, 119),))) for name in "abcd"]
    anomaly_scores = np.zeros((4, 150))
    anomaly_scores[:, 100] = [2.0, 2.0, 2.0, 0.5]  # the last window is detected with the lowest threshold only
    anomaly_scores[0, 80] = 3.0  # a false alarm before all windows
    result = detection_result(CONFIG.score, features, [detection(s) for s in anomaly_scores])
    assert result["value"] == result["scores"]["standard"] == pytest.approx(100 * (8 - 0.11) / 8)
    assert [result["scores"][n] for n in ("windows", "windows found", "false alarms", "threshold")] == [4, 4, 1, 0.5]
    assert result["scores"]["standard, alarms from 1 on"] == pytest.approx(100 * (6 - 0.11) / 8)
    assert result["scores"]["standard, other half"] == pytest.approx(50), "the half has chosen 2 as the threshold"
    text = alarms_text(features, [detection(s) for s in anomaly_scores], 1.0, quiet=10).splitlines()
    marks = ["a", "FALSE", "right", "b", "right", "c", "right", "d", "MISSED"]
    assert [line.split()[0] for line in text] == marks
    anomaly_scores[0, 101:104] = 4.0
    text = alarms_text(features[:1], [detection(anomaly_scores[0])], 1.0, quiet=10)
    assert text.splitlines()[3:] == ["          and as it grows 3 more"]


def test_errors_are_compared_with_those_of_the_last_known_value():
    rising = features_of(make_series("rising", 100, values=np.arange(100.0)))
    assert relative_error(rising, detection(np.zeros(100), prediction=100.0)) == pytest.approx((20.5) / 3)
    result = detection_result(CONFIG.score, [rising], [detection([0.0] * 98 + [1.0, 2.0], prediction=100.0)])
    assert (result["value"], result["scores"]["alarms, rising"]) == (pytest.approx(20.5 / 3), 2)
    constant = features_of(make_series("constant", 100, values=np.full(100, 7.0)))
    assert constant.scaling == SeriesScaling(7.0, 1.0, 1.0)
    assert relative_error(constant, detection(np.zeros(100), 7.0)) == 0
