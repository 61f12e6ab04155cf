"""The forecaster: where it begins, one step after the other, what its numbers mean."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.stats import norm

from experiments.forecasting import EXPERIMENT
from experiments.forecasting.model import Forecaster, embedding_size, make_forecast, make_raw
from experiments.forecasting.outputs import LEVELS, OUTPUTS, Forecast
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.windows import Windows
from rnn_jax import GRU
from rnn_jax.nnx import Recurrent, functional
from rnn_jax.train import flatten
from tests.experiments.forecasting.small_panel import make_panel

WINDOW, HORIZON, FEATURES = 8, 5, 4
RNG = np.random.default_rng(0)


def build(output: str = "point", **options) -> Forecaster:
    rngs = nnx.Rngs(0)
    layer = Recurrent(GRU(FEATURES, 6), rngs=rngs)
    return Forecaster(layer, OUTPUTS[output], WINDOW, HORIZON, rngs=rngs, **options)


def disturbed(model: Forecaster) -> Forecaster:
    """All parameters off their initial values."""
    params, rebuild = functional(model)
    leaves, tree = jax.tree.flatten(params)
    return rebuild(
        jax.tree.unflatten(tree, [leaf + 0.3 * RNG.normal(size=leaf.shape).astype(np.float32) for leaf in leaves])
    )


def windows_of(batch: int = 3, ahead: bool = False) -> np.ndarray:
    return RNG.normal(size=(WINDOW + (HORIZON - 1 if ahead else 0), batch, FEATURES)).astype(np.float32)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("output", "recursive", "season", "repeated"),
    [
        ("point", False, 1, [7] * 5),
        ("quantile", False, 3, [5, 6, 7, 5, 6]),
        ("gaussian", True, 3, [5, 6, 7, 5, 6]),
        ("gaussian", False, 8, [0, 1, 2, 3, 4]),
    ],
)
def test_it_begins_as_seasonal_persistence(output, recursive, season, repeated):
    xs = windows_of(ahead=recursive)
    model = build(output, recursive=recursive, season=season, means=[1, 4])
    raw = model(xs)
    assert raw.shape == (3, HORIZON, OUTPUTS[output].size) and raw.dtype == jnp.float32
    np.testing.assert_allclose(OUTPUTS[output].point(raw), xs[repeated, :, 0].T, rtol=1e-6)
    if output == "gaussian":
        np.testing.assert_array_equal(raw[..., 1], 0)


@pytest.mark.exhaustive
def test_without_a_season_it_begins_at_the_mean():
    np.testing.assert_array_equal(build("variance", means=[2])(windows_of()), 0)


@pytest.mark.exhaustive
def test_one_step_after_the_other_reads_what_it_said():
    xs = windows_of(ahead=True)
    model = disturbed(build("gaussian", recursive=True, season=2, means=[1, 8]))
    window, wanted = xs[:WINDOW], []
    for h in range(HORIZON):
        wanted.append(np.asarray(model.predict(jnp.asarray(window), None))[:, 0])
        if h < HORIZON - 1:
            row = xs[WINDOW + h].copy()
            row[:, 0] = wanted[-1][:, 0]
            window = np.concatenate([window[1:], row[None]])
    np.testing.assert_allclose(model(xs), np.stack(wanted, axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.exhaustive
def test_the_linear_map_reads_means_of_the_last_steps_past_the_layers():
    model = build(means=(1, 3, 8))
    kernel = np.zeros((3 * FEATURES, HORIZON), np.float32)
    kernel[0 * FEATURES + 1, 0] = kernel[1 * FEATURES + 3, 2] = kernel[2 * FEATURES + 2, 4] = 1.0
    model.linear.kernel[...] = jnp.asarray(kernel)
    xs = windows_of()
    raw = np.asarray(model(xs))[..., 0]
    wanted = [xs[7, :, 1], xs[5:, :, 3].mean(axis=0), xs[:, :, 2].mean(axis=0)]
    np.testing.assert_allclose(raw[:, [0, 2, 4]].T, wanted, rtol=1e-5)
    assert not raw[:, [1, 3]].any()


@pytest.mark.exhaustive
def test_only_training_drops_anything():
    model = disturbed(build(dropout_rate=0.5, input_dropout=0.5, means=[2]))
    xs = windows_of()
    one, two = (np.asarray(model(xs, key=jax.random.key(i))) for i in range(2))
    assert (one != two).any() and (np.asarray(model(xs)) == np.asarray(model(xs))).all()
    np.testing.assert_array_equal(one, model(xs, key=jax.random.key(0)))


@pytest.mark.exhaustive
def test_gaussian_quantiles_are_those_of_scipy():
    raw = RNG.normal(size=(2, 3, 2)).astype(np.float32)
    wanted = norm.ppf(np.array(LEVELS), raw[..., :1], np.exp(raw[..., 1:]))
    np.testing.assert_allclose(OUTPUTS["gaussian"].quantiles(jnp.asarray(raw)), wanted, rtol=1e-4, atol=1e-5)


def test_quantiles_are_in_order_and_their_middle_is_the_point():
    raw = jnp.array([[3.0, 1.0, 2.0, 5.0, 4.0]])
    np.testing.assert_array_equal(OUTPUTS["quantile"].quantiles(raw), [[1, 2, 3, 4, 5]])
    assert OUTPUTS["quantile"].point(raw) == 3


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("output", ["point", "quantile", "gaussian", "variance"])
def test_losses_are_least_where_they_should_be(output):
    """At the quantiles, the mean and deviation, or the mean square of a sample."""
    sample = RNG.normal(1, 2, 4001).astype(np.float32)
    target, best = sample, {
        "point": [np.median(sample)],
        "quantile": np.quantile(sample, LEVELS),
        "gaussian": [sample.mean(), np.log(sample.std())],
        "variance": [np.log(np.mean(sample**2))],
    }[output]  # fmt: skip
    if output == "variance":
        target = sample**2

    def mean_loss(raw) -> float:
        total, count = OUTPUTS[output].loss(jnp.broadcast_to(jnp.asarray(raw, jnp.float32), (4001, len(best))), target)
        assert count == 4001
        return float(total / count)

    least = mean_loss(best)
    for i in range(len(best)):
        for step in (-0.1, 0.1):
            assert mean_loss(best + step * np.eye(len(best))[i]) > least


@pytest.mark.exhaustive
def test_what_is_said_in_the_unit_of_the_panel():
    panel = make_panel(steps=80)
    windows = Windows(panel, Scaling.fit(panel, panel.validation), WINDOW, HORIZON)
    examples = windows.examples(panel.validation, 80)
    params, rebuild = functional(build_for(windows, "quantile"))
    raw = make_raw(rebuild, windows, examples, batch_size=7)(params)
    np.testing.assert_allclose(raw, make_raw(rebuild, windows, examples)(params), rtol=1e-6)
    forecast = make_forecast(rebuild, windows, examples)(params)
    # It begins as persistence, so that the point is the last value in degrees, metres or whatever it was.
    last = [panel.target[s, : t + 1][~np.isnan(panel.target[s, : t + 1])][-1] for s, t in examples]
    np.testing.assert_allclose(forecast.point, np.repeat(np.array(last)[:, None], HORIZON, axis=1), rtol=1e-5)
    assert forecast.quantiles.shape == (len(examples), HORIZON, len(LEVELS))
    none = Forecast(np.ones((1, 2)), None).unscaled(np.array([1.0]), np.array([3.0]))
    assert none.quantiles is None and none.point.tolist() == [[4, 4]]


def build_for(windows: Windows, output: str) -> Forecaster:
    fields = {"window": WINDOW, "horizon": HORIZON, "season": 1, "hidden_size": 4, "means": "1,4"}
    config = EXPERIMENT.configure({"output": output, **fields})
    return config.forecaster(windows.features.shape[-1], jax.random.key(0))


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    "options",
    [{"model": "transformer", "heads": 2}, {"bidirectional": True, "pooling": "mean"}, {"decoding": "recursive"}],
)
def test_configs_build_models_of_all_kinds(options):
    fields = {"window": 8, "horizon": 3, "season": 2, "hidden_size": 24, "transformer_layers": 1, "means": "1,8"}
    config = EXPERIMENT.configure(fields | options)
    panel = make_panel()
    windows = config.cut(panel, Scaling.fit(panel, 48))
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # of Flax's attention
        model = config.forecaster(windows.features.shape[-1], jax.random.key(0))
        assert model(windows.inputs(windows.examples(0, 48)[:2])).shape == (2, 3, len(LEVELS))


DAYS = {"horizon": 1, "window": 22, "season": 0, "calendar": "", "means": "1,5,22"}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, {"task": "weather", "horizon": 24, "window": 24, "season": 24, "output": "quantile"}),
        ({"task": "stocks"}, DAYS | {"output": "variance"}),
        ({"task": "returns"}, DAYS | {"output": "gaussian"}),
        ({"csv": "my.csv", "target": "load", "horizon": 7}, {"task": "own", "horizon": 7, "window": 48, "season": 1}),
    ],
)
def test_each_task_has_defaults_of_its_own(asked, wanted):
    config = EXPERIMENT.configure(asked)
    assert flatten(config) | wanted == flatten(config) and EXPERIMENT.configure(flatten(config)) == config


def test_a_config_from_before_tasks_had_their_own_is_read():
    table = {"csv": "", "target": "", "columns": "", "time": "", "by": "", "fill_gaps": True}
    config = EXPERIMENT.configure({"horizon": 12})
    assert EXPERIMENT.configure(EXPERIMENT.upgrade(flatten(config) | table)) == config


@pytest.mark.parametrize("gaps", [False, True])
def test_features_are_counted_without_a_panel(gaps):
    panel = make_panel()
    scaling = dataclasses.replace(Scaling.fit(panel, 48), gaps=gaps)
    windows = Windows(panel, scaling, WINDOW, HORIZON, ("day", "week"))
    count = Windows.feature_count(len(panel.names), len(panel.series), gaps, 2)
    assert windows.features.shape[-1] == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "tides"}, "task='tides'"),
        ({"task": "own"}, "csv='', target='': a table of your own needs both"),
        ({"csv": "x.csv"}, "csv='x.csv', target=''"),
        ({"target": "load"}, "target='load'"),
        ({"output": "histogram"}, "output='histogram'"),
        ({"output": "variance"}, "task='weather', output='variance': stocks go with variance"),
        ({"task": "stocks", "output": "point"}, "task='stocks', output='point'"),
        ({"task": "stocks", "decoding": "recursive"}, "output='variance' forecasts the next steps directly"),
        ({"decoding": "both"}, "decoding='both'"),
        ({"horizon": 0}, "horizon=0"),
        ({"season": 25}, "season=25: expected 0 to window=24"),
        ({"means": "1,25"}, "means='1,25': expected numbers from 1 to window=24"),
        ({"means": "a"}, "means='a'"),
        ({"pooling": "sum"}, "pooling='sum'"),
        ({"input_dropout": 1.0}, "input_dropout=1.0"),
    ],
)
def test_configs_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError) as raised:
        EXPERIMENT.configure(options)
    assert message in str(raised.value)


@pytest.mark.exhaustive
def test_an_unknown_word_is_the_mean_of_the_known_ones():
    rngs = nnx.Rngs(0)
    layer = Recurrent(GRU(FEATURES + embedding_size(3) + embedding_size(2), 6), rngs=rngs)
    model = Forecaster(layer, OUTPUTS["point"], WINDOW, HORIZON, vocabularies=(3, 2), means=[1], rngs=rngs)
    xs, codes = windows_of(4), np.zeros((WINDOW, 4, 2), np.int32)
    codes[:, 1:, 0] = [1, 2, 3]
    found = np.asarray(model.embedded(xs, codes))[..., FEATURES:]
    first = found[..., : embedding_size(3)]
    np.testing.assert_allclose(first[:, 0], first[:, 1:].mean(axis=1), rtol=1e-5, atol=1e-6)
    assert len({row.tobytes() for row in first[0]}) == 4 and (found == found[:1]).all()
    assert model(xs, codes).shape == (4, HORIZON, 1)


def test_each_step_reads_what_is_known_ahead_of_it():
    rngs = nnx.Rngs(0)
    layer = Recurrent(GRU(FEATURES, 6), rngs=rngs)
    model = Forecaster(layer, OUTPUTS["gaussian"], WINDOW, HORIZON, ahead=[2], means=[1], season=1, rngs=rngs)
    xs = windows_of(ahead=True)
    np.testing.assert_allclose(model(xs)[..., 0], np.tile(xs[WINDOW - 1, :, :1], HORIZON), rtol=1e-6)
    model = disturbed(model)
    before = np.asarray(model(xs))
    for h in range(1, HORIZON):
        changed = xs.copy()
        changed[WINDOW - 1 + h] += 1  # what is known of step h, in the feature that is known ahead, and what is not
        moved = np.abs(np.asarray(model(changed)) - before).max(axis=(0, 2))
        assert moved[h] > 1e-3 and not np.delete(moved, h).any()
