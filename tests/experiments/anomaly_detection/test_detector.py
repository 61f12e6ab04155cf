"""Detectors: row by row as at once, nothing looks ahead, and alarms as their rows come."""

import jax
import numpy as np
import pytest

from experiments.anomaly_detection.detector import Detection, Detector, alarms, detect_all
from experiments.anomaly_detection.model import training_batches
from experiments.common.table_rows import Row
from tests.experiments.anomaly_detection.small_series import CONFIG, features_of


@pytest.mark.exhaustive
def test_row_by_row_as_all_at_once(detected):
    features, params, rebuild, detections = detected
    for i, (one, whole) in enumerate(zip(features, detections, strict=True)):
        model = rebuild(jax.tree.map(lambda x, i=i: x[i], params))
        detector = Detector(CONFIG, model, one.scaling, one.training_rows)
        rows = [detector(t, float(v)) for t, v in zip(one.series.times, one.series.values, strict=True)]
        for name in Detection._fields:
            streamed = np.array([getattr(row, name) for row in rows])
            np.testing.assert_allclose(streamed, getattr(whole, name), rtol=1e-4, atol=1e-5, err_msg=name)
        assert not whole.anomaly_score[: one.training_rows].any() and whole.anomaly_score.any()
        assert (whole.low < whole.prediction).all() and (whole.prediction < whole.high).all()


def test_nothing_looks_ahead(detected):
    features, params, rebuild, detections = detected
    series = features[0].series
    values = np.where(np.arange(150) < 100, series.values, -1e4)
    changed = [features_of(series._replace(values=values)), features[1]]
    others = detect_all(CONFIG, rebuild, params, changed)[0]
    assert changed[0].scaling == features[0].scaling
    for a, b in zip(training_batches(changed, 3), training_batches(features, 3), strict=True):
        jax.tree.map(np.testing.assert_array_equal, a, b)
    for name in Detection._fields:
        np.testing.assert_array_equal(getattr(others, name)[:100], getattr(detections[0], name)[:100])
    # What changes is known to predictions 3 rows later.
    np.testing.assert_array_equal(others.prediction[100:103], detections[0].prediction[100:103])
    assert others.anomaly_score[100] > 1 and abs(others.prediction[103] - detections[0].prediction[103]) > 1000


def test_alarms_in_a_stream_come_with_their_rows(detected):
    features, params, rebuild, _ = detected
    model, read = rebuild(jax.tree.map(lambda x: x[0], params)), []

    def rows():
        for i, (time, value) in enumerate(zip(*features[0].series[1:3], strict=True)):
            read.append(i)
            yield Row(time.item(), np.array([1234.5 if i == 120 else value]), i + 1, str(time)[:19].replace("T", " "))

    lines = alarms(Detector(CONFIG, model, features[0].scaling, 115), rows())
    line, when = next(lines), str(features[0].series.times[120])[:19].replace("T", " ")
    assert read[-1] == 120 and line.startswith(f"{when}  1234.5, e") and line.endswith(", row 121")
