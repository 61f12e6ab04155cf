"""Configs of runs from before tables had options."""

import pytest

from experiments.anomaly_detection import EXPERIMENT as ANOMALIES
from experiments.common.table_cells import TableConfig
from experiments.forecasting import EXPERIMENT as FORECASTS
from rnn_jax.train import flatten


@pytest.mark.parametrize(
    ("experiment", "values"), [(FORECASTS, {"csv": "a.csv", "target": "b", "time": "c"}), (ANOMALIES, {"csv": "a.csv"})]
)
def test_a_config_without_options_of_tables_has_their_defaults(experiment, values):
    config = experiment.configure(values)
    stored = flatten(config)
    kept = {"time"} if experiment is FORECASTS else set()
    before = {name: value for name, value in stored.items() if name not in flatten(TableConfig()).keys() - kept}
    assert experiment.configure(experiment.today(before)) == config
    assert experiment.today({"csv": "a.csv"}).keys() == {"csv"}, "a few values stay as they are"


@pytest.mark.parametrize("values", [{}, {"task": "stocks"}, {"csv": "a.csv", "target": "b", "by": "c"}])
def test_earlier_runs_read_the_mean_of_all_series(values):
    """A model of one's own series does so no longer by default; one that was trained so goes on."""
    config = FORECASTS.configure(values | {"across": "true"})
    new = {"across", "conformal", "known_future", "static", "categorical"}
    before = {name: value for name, value in flatten(config).items() if name not in new}
    assert FORECASTS.configure(FORECASTS.today(before)) == config
    assert FORECASTS.configure(values).windows.across == ("csv" not in values)
