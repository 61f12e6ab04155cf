"""Anomalies put into series: where their windows say, none of the training rows, each time the same."""

import numpy as np

from experiments.anomaly_detection.rehearsal import with_anomalies
from tests.experiments.anomaly_detection.small_series import make_series


def test_only_what_is_in_windows_has_changed():
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        series = make_series("walk", 1000, values=np.cumsum(rng.normal(size=1000)), windows=((5, 9),))
        changed, again = (with_anomalies(series, 150, np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(changed.values, again.values)
        assert changed.windows == again.windows and len(changed.windows) == 2
        different = np.flatnonzero(changed.values != series.values)
        for first, last in changed.windows:
            assert first >= 150 and last - first <= 53
            inside = different[(different >= first) & (different <= last)]
            assert len(inside) and inside[0] - first <= 10, "an anomaly begins soon after its window"
            seen.add(len(inside))
        assert all(any(a <= row <= b for a, b in changed.windows) for row in different)
    assert min(seen) <= 3 and max(seen) > 30, "some are of a moment, some last"


def test_a_constant_series_gets_anomalies_too():
    series = make_series("constant", 400, values=np.full(400, 7.0))
    changed = [with_anomalies(series, 150, np.random.default_rng(seed)).values for seed in range(5)]
    assert any((values != 7).any() for values in changed) and all(np.isfinite(values).all() for values in changed)
