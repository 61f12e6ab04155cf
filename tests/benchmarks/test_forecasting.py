import jax
import numpy as np
import pytest

from benchmarks import forecasting
from benchmarks.forecasters import FORECASTERS, LEVELS, Case
from benchmarks.timing import rows
from tests.experiments.forecasting.small_panel import make_panel


@pytest.fixture
def config(monkeypatch, tmp_path):
    monkeypatch.setitem(forecasting.SERIES, "small", lambda: make_panel(steps=300))
    return forecasting.Config(window=12, horizon=3, hidden_size=4, steps=10, batch_size=8, scratch=tmp_path)


def test_a_case_has_no_gaps_and_its_moments_are_of_the_test_part(config, tmp_path):
    case = forecasting.make_case(config, "small", seed=1)
    panel, first = make_panel(steps=300), 300 - len(case.times)
    assert not np.isnan(case.values).any() and case.train == panel.validation - first
    assert case.origins[0] + 1 == panel.test - first and case.origins[-1] + case.horizon < len(case.times)
    (s, before, ahead), count = case.windows[1], len(case.origins)
    assert len(case.windows) == 2 * count and s == 1 and before.stop == case.origins[0] + 1
    assert case.values[s, before].shape == (12,) and case.values[s, ahead].shape == (15,)
    case.save(tmp_path / "case.npz")
    again = Case.load(tmp_path / "case.npz")
    assert again.seed == 1 and isinstance(again.window, int)
    np.testing.assert_array_equal(again.values, case.values)


def test_a_table_has_accuracy_and_time_of_each(config):
    measured = rows("small", {forecasting.REFERENCE: [2.0, 2.0], "other": [5.0, 5.0]}, forecasting.REFERENCE)
    stored = {"rows": [row | {"mae": [1.0, 2.0], "crps": [0.5, 0.5], "processor": row["seconds"]} for row in measured]}
    ours, other = forecasting.table(stored).splitlines()[2:]
    assert ours == "| small | rnn_jax GRU | 1.5 ± 0.5 | 0.5 ± 0 | 2.0 ± 0.0 | 2.0 | 1; 1.00 |"
    assert other.endswith("| 5.0 ± 0.0 | 5.0 | 2.50 [2.50, 2.50]; 2.50 |")


def test_what_was_found_is_taken_up_and_a_library_that_is_not_there_is_left_out(config, monkeypatch):
    def run(command, **options):
        program, part = command[3], command[5]
        if "rnn_jax" not in program:
            return type("Done", (), {"stderr": "ModuleNotFoundError: No module named 'darts'", "returncode": 1})
        shape = (len(case.windows), 3, len(LEVELS))
        np.savez(part, quantiles=np.zeros(shape), seconds=3.0, processor=2.0)
        calls.append(program)
        return type("Done", (), {"stderr": "", "returncode": 0})

    case, calls = forecasting.make_case(config, "small", seed=0), []
    monkeypatch.setattr(forecasting.subprocess, "run", run)
    for _ in range(2):
        found = forecasting.measured(config, "small", "a case")
    here = [program for program in FORECASTERS if program.startswith("rnn_jax")]
    assert len(calls) == config.rounds * len(here) and [row["program"] for row in found] == here
    assert found[0]["median"] == 3 and len(found[0]["mae"]) == config.rounds and found[0]["crps"][0] > 0


@pytest.mark.exhaustive
def test_the_forecaster_here_forecasts_after_each_moment(config):
    case = forecasting.make_case(config, "small", seed=0)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # as in tests of experiments
        quantiles = FORECASTERS[forecasting.REFERENCE](case)()
    assert quantiles.shape == (len(case.windows), 3, len(LEVELS)) and (np.diff(quantiles, axis=-1) >= 0).all()
