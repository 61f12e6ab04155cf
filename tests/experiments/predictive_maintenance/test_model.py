"""Predictions of the RUL: they see only the past; noise in training alone."""

import jax
import numpy as np
import pytest

from experiments.predictive_maintenance.config import RULConfig
from experiments.predictive_maintenance.data import Engine
from experiments.predictive_maintenance.features import SensorScaling, engine_batch
from experiments.predictive_maintenance.model import make_predict, rul_loss
from rnn_jax.nnx import functional
from tests.experiments.predictive_maintenance.small_engines import CAP, make_engines


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(("model", "members"), [("recurrent", 1), ("recurrent", 2), ("transformer", 1)])
def test_a_prediction_follows_from_the_cycles_before(model, members):
    engines = make_engines(3)
    scaling = SensorScaling.fit(engines)
    config = RULConfig(hidden_size=18, model=model, heads=1, transformer_layers=1, members=members)
    params, rebuild = functional(config.build(21, jax.random.key(0)))
    truncated = [Engine(e.number, e.settings[:15], e.sensors[:15], len(e) - 15) for e in engines]
    whole, part = (make_predict(rebuild, some, scaling, CAP)(params) for some in (engines, truncated))
    for long, short, engine in zip(whole, part, engines, strict=True):
        assert len(long.mean) == len(engine) and len(short.mean) == 15
        for a, b in zip(long, short, strict=True):
            np.testing.assert_allclose(a[:15], b, atol=1e-4)
        low, high = long.interval(CAP)
        assert (low >= 0).all() and (low <= long.mean).all() and (long.mean <= high).all() and (high <= CAP).all()
    stretched = make_predict(rebuild, engines, scaling, CAP, stretch=3.0)(params)[0]
    np.testing.assert_array_equal(stretched.mean, whole[0].mean)
    np.testing.assert_allclose(stretched.std, 3 * whole[0].std, rtol=1e-6)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("members", [1, 2])
def test_noise_comes_with_a_key(members):
    config = RULConfig(hidden_size=4, dropout=0.0, members=members)
    params, rebuild = functional(config.build(21, jax.random.key(0)))
    batch = engine_batch(make_engines(2), SensorScaling.fit(make_engines(2)), CAP)
    loss = jax.jit(lambda params, key: rul_loss(rebuild(params), batch, beta=0.5, noise=0.5, key=key))
    plain, noisy = ([float(x) for x in loss(params, key)] for key in (None, jax.random.key(0)))
    assert plain[0] != noisy[0] and plain[1] == noisy[1] == batch["lengths"].sum()
