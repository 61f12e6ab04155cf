"""Paths drawn step by step: those of a known process, those of the steps in training, and what is asked of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.forecasting import EXPERIMENT
from experiments.forecasting.ancestral import AncestralForecaster
from experiments.forecasting.outputs import OUTPUTS
from experiments.forecasting.paths import Paths
from rnn_jax import GRU, LSTM, Stack
from rnn_jax.nnx import Recurrent, functional

WINDOW, HORIZON, FEATURES = 6, 4, 3
RNG = np.random.default_rng(0)
ONES = np.ones(2, np.float32)


def build(output: str = "gaussian", **options) -> AncestralForecaster:
    rngs = nnx.Rngs(0)
    layer = Recurrent(Stack([GRU(FEATURES, 5), LSTM(5, 4)]), rngs=rngs)
    return AncestralForecaster(layer, OUTPUTS[output], WINDOW, HORIZON, rngs=rngs, **options)


def disturbed(model: AncestralForecaster) -> AncestralForecaster:
    params, rebuild = functional(model)
    leaves, tree = jax.tree.flatten(params)
    return rebuild(jax.tree.unflatten(tree, [leaf + 0.3 * RNG.normal(size=leaf.shape).astype("f") for leaf in leaves]))


def windows_of(batch: int = 2) -> np.ndarray:
    return RNG.normal(size=(WINDOW + HORIZON - 1, batch, FEATURES)).astype(np.float32)


@pytest.mark.exhaustive
def test_paths_are_those_of_an_autoregression():
    """The layers add nothing yet, the mean is 0.8 of the last step, the deviation 0.5: variances are geometric sums."""
    model = build(means=[1])
    kernel = np.zeros((FEATURES, 2), np.float32)
    kernel[0, 0] = 0.8
    model.linear.kernel[...], model.linear.bias[...] = jnp.asarray(kernel), jnp.array([0.0, np.log(0.5)], jnp.float32)
    xs = windows_of()
    paths = np.asarray(model.sample(xs, scale=ONES, paths=4000, key=jax.random.key(0)))
    assert paths.shape == (2, 4000, HORIZON)
    power = 0.8 ** np.arange(1, HORIZON + 1)
    variance = 0.25 * np.cumsum(0.8 ** (2 * np.arange(HORIZON)))
    np.testing.assert_allclose(paths.mean(axis=1), xs[WINDOW - 1, :, :1] * power, atol=0.05)
    np.testing.assert_allclose(paths.var(axis=1), np.tile(variance, (2, 1)), rtol=0.1)
    # The total of a path varies more than if its steps were independent.
    totals = Paths(paths).of(np.sum)
    assert totals.shape == (2, 4000) and (totals.var(axis=1) > 1.5 * variance.sum()).all()


@pytest.mark.exhaustive
@pytest.mark.parametrize("season", [0, 2])
def test_a_path_is_what_the_steps_in_training_say_of_it(season):
    """Without noise each drawn step is the mean that training gives after those before it, read as they were drawn."""
    model = disturbed(build(season=season, means=[1, 3]))
    model.head.score.bias[...] = model.head.score.bias[...].at[1].set(-30.0)
    model.head.score.kernel[...] = model.head.score.kernel[...].at[:, 1].set(0.0)
    model.linear.kernel[...] = model.linear.kernel[...].at[:, 1].set(0.0)
    xs = windows_of()
    drawn = np.asarray(model.sample(xs, scale=ONES, paths=1, key=jax.random.key(0)))[:, 0]
    told = xs.copy()
    told[WINDOW:, :, 0] = drawn[:, :-1].T
    np.testing.assert_allclose(drawn, np.asarray(model(told))[..., 0], rtol=1e-4, atol=1e-5)
    assert np.abs(np.asarray(model(xs))[:, 1:, 0] - drawn[:, 1:]).max() > 1e-3, "what comes is read in training"
    np.testing.assert_allclose(np.asarray(model(xs))[:, 0, 0], drawn[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("output", ["gaussian", "student_t", "negative_binomial", "mixture"])
def test_every_distribution_has_paths(output):
    model = disturbed(build(output, means=[1], season=3))
    xs = np.abs(windows_of())
    paths = np.asarray(model.sample(xs, scale=3 * ONES, paths=5, key=jax.random.key(1)))
    assert paths.shape == (2, 5, HORIZON) and np.isfinite(paths).all() and (paths[:, 0] != paths[:, 1]).any()
    np.testing.assert_array_equal(paths, model.sample(xs, scale=3 * ONES, paths=5, key=jax.random.key(1)))
    if output == "negative_binomial":
        np.testing.assert_allclose(paths * 3, np.round(paths * 3), atol=1e-4)


def test_quantiles_and_functions_of_paths():
    paths = Paths(RNG.normal(size=(2, 50, HORIZON)).cumsum(axis=-1))
    assert paths.quantiles([0.1, 0.5]).shape == (2, HORIZON, 2)
    np.testing.assert_array_equal(paths.of(np.max), paths.values.max(axis=-1))
    np.testing.assert_array_equal(paths.forecast.point, np.median(paths.values, axis=1))
    assert (np.diff(paths.forecast.quantiles, axis=-1) >= 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"output": "quantile"},
            "output='quantile': decoding='ancestral' draws of a distribution: gaussian, student_t",
        ),
        ({"output": "gaussian", "bidirectional": True}, "needs a recurrent model that reads in one direction"),
        ({"output": "gaussian", "model": "transformer"}, "model='transformer'"),
        ({"output": "gaussian", "pooling": "max"}, "pooling='max'"),
        ({"task": "stocks"}, "output='variance' forecasts the next steps directly"),
    ],
)
def test_models_without_paths_are_refused(options, message):
    with pytest.raises(ValueError) as raised:
        EXPERIMENT.configure({"decoding": "ancestral", **options})
    assert message in str(raised.value)
