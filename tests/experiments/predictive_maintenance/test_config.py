"""Configs of models of the RUL: values out of range."""

import pytest

from experiments.predictive_maintenance import EXPERIMENT


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bidirectional": True}, "bidirectional=True would let the model see how long an engine lives"),
        ({"beta": 2.0}, "beta=2.0: expected a number from 0 to 1"),
        ({"noise": -0.1}, "noise=-0.1"),
        ({"cap": 0}, "cap=0: expected an int of at least 1"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EXPERIMENT.configure(options)
