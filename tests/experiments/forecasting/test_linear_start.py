"""Where training begins: the linear map is a regression, and its constants are the best for each kind of output."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.forecasting import EXPERIMENT
from experiments.forecasting.linear_start import start_linear
from experiments.forecasting.model import make_raw
from experiments.forecasting.outputs import LEVELS, OUTPUTS
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.windows import Windows
from rnn_jax.nnx import functional
from tests.experiments.forecasting.small_panel import make_panel


def started(output: str, **options) -> tuple[np.ndarray, np.ndarray, Windows, np.ndarray]:
    """What a model says of its training part as it begins, and what came, in the model's own scale."""
    panel = make_panel(steps=300)
    if output == "variance":
        options |= {"task": "stocks"}
        panel = dataclasses.replace(panel, target=np.exp(panel.target / 20))
    fields = {"window": 6, "horizon": 3, "season": 0, "means": "1,4", "hidden_size": 4, "calendar": "day"}
    config = EXPERIMENT.configure({"output": output, **fields, **options})
    windows = config.cut(panel, Scaling.fit(panel, 200, positive=output == "variance"))
    examples = windows.examples(0, 200)
    model = config.forecaster(windows.features.shape[-1], jax.random.key(0))
    # Not 0: the mean of a sine over a few hours is a combination of sine and cosine now.
    start_linear(model, windows, examples, penalty=1e-3)
    params, rebuild = functional(model)
    return make_raw(rebuild, windows, examples)(params), windows.targets(examples), windows, examples


@pytest.mark.parametrize("season", [0, 2])
def test_the_mean_is_that_of_least_squares(season):
    raw, came, windows, examples = started("gaussian", season=season)
    xs = windows.inputs(examples).astype(float)
    design = np.concatenate([xs[-1], xs[-4:].mean(axis=0), np.ones((len(examples), 1))], axis=1)
    for h in range(3):
        known = ~np.isnan(came[:, h])
        # What is added to the last season's value is a line, too, so that without a penalty it makes no difference.
        wanted = design @ np.linalg.lstsq(design[known], came[known, h], rcond=None)[0] if season == 0 else None
        left = came[known, h] - raw[known, h, 0]
        if season == 0:
            np.testing.assert_allclose(raw[:, h, 0], wanted, atol=5e-3)
        assert abs(left.mean()) < 1e-3 and np.abs(design[known].T @ left).max() < 0.1, "something linear is left"
        np.testing.assert_allclose(raw[:, h, 1], np.log(left.std()), rtol=1e-3)


def test_quantiles_are_those_of_what_is_left():
    raw, came, _, _ = started("quantile", season=1)
    for i, level in enumerate(LEVELS):
        known = ~np.isnan(came)
        assert np.mean(came[known] <= raw[..., i][known]) == pytest.approx(level, abs=0.01)


def test_a_variance_is_right_on_average():
    raw, came, _, _ = started("variance")
    known = ~np.isnan(came[:, 0])
    assert np.mean(came[known, 0] / np.exp(raw[known, 0, 0])) == pytest.approx(1, rel=1e-3)
    total, count = OUTPUTS["variance"].loss(jnp.asarray(raw), jnp.asarray(came))
    assert total / count < 1 + np.log(np.nanmean(came)) - 0.05, "no better than a constant"


def test_one_step_at_a_time_begins_with_the_first_step():
    recursive, direct = (started("gaussian", season=1, decoding=decoding)[0] for decoding in ("recursive", "direct"))
    np.testing.assert_allclose(recursive[:, 0], direct[:, 0], atol=1e-4)
    assert np.abs(recursive[:, 2] - direct[:, 2]).max() > 1e-3
