"""Configs of anomaly detection: values out of range."""

import pytest

from experiments.anomaly_detection import EXPERIMENT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ahead", 0), ("learn", -1), ("beta", 2.0), ("noise", -0.1), ("layers", 0),
        ("short", 0), ("quiet", 0), ("decades", 0.0), ("beyond", -1.0),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        EXPERIMENT.configure({name: value})
