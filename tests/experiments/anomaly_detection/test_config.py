"""Configs of anomaly detection: values out of range."""

import pytest

from experiments.anomaly_detection import EXPERIMENT
from rnn_jax.train import flatten


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ahead", 0), ("learn", -1), ("beta", 2.0), ("noise", -0.1), ("layers", 0),
        ("short", 0), ("quiet", 0), ("decades", 0.0), ("beyond", -1.0), ("errors_beyond", 0.0),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        EXPERIMENT.configure({name: value})


def test_runs_of_earlier_versions_judge_errors_by_their_likelihood():
    config = flatten(EXPERIMENT.configure({"short": 7, "beyond": 0.002}))
    stored = {name: value for name, value in config.items() if name not in ("rule", "errors_beyond")}
    assert flatten(EXPERIMENT.configure(EXPERIMENT.today(stored))) == config | {"rule": "likelihood"}
    assert EXPERIMENT.configure(EXPERIMENT.today(config)) == EXPERIMENT.configure(config)
    assert EXPERIMENT.today({"short": 7}) == {"short": 7}
