import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.train import OptimizerConfig, make_optimizer, make_schedule


@pytest.mark.parametrize(
    ("schedule", "half", "last"), [("cosine", 0.505, 0.01), ("linear", 0.505, 0.01), ("constant", 1, 1)]
)
def test_schedules_rise_then_fall(schedule, half, last):
    rate = make_schedule(
        OptimizerConfig(schedule=schedule, learning_rate=0.2, warmup_steps=10, final_fraction=0.01), steps=110
    )
    assert rate(0) == 0 and float(rate(5)) == pytest.approx(0.1)
    assert float(rate(10)) == pytest.approx(0.2)
    assert float(rate(60)) == pytest.approx(0.2 * half)
    assert float(rate(110)) == pytest.approx(0.2 * last)


def test_gradients_are_clipped_by_their_global_norm():
    settings = OptimizerConfig(
        optimizer="sgd", momentum=0.0, schedule="constant", warmup_steps=0, learning_rate=1.0, clip_norm=0.5
    )
    optimizer = make_optimizer(settings, steps=5)
    params = {"a": jnp.zeros(2), "b": jnp.zeros(1)}
    state = optimizer.init(params)
    # The rate of the very first update is that of update 0: no warm-up means no zero rate.
    updates, state = optimizer.update({"a": jnp.array([3.0, 0.0]), "b": jnp.array([4.0])}, state, params)
    np.testing.assert_allclose([*updates["a"], *updates["b"]], [-0.3, 0.0, -0.4], rtol=1e-6)


def test_weight_decay_pulls_towards_zero():
    optimizer = make_optimizer(OptimizerConfig(weight_decay=0.1, warmup_steps=0, learning_rate=0.1), steps=5)
    params = {"a": jnp.array([2.0])}
    updates, _ = optimizer.update({"a": jnp.array([0.0])}, optimizer.init(params), params)
    assert float(updates["a"][0]) == pytest.approx(-0.02)


def test_the_average_is_of_all_parameters_so_far():
    settings = OptimizerConfig(
        optimizer="sgd", momentum=0.0, schedule="constant", warmup_steps=0, learning_rate=1.0, averaging=0.5
    )
    optimizer = make_optimizer(settings, steps=20)
    params = {"a": jnp.array([0.0])}
    state, wanted = optimizer.init(params), 0.0
    for t in range(1, 21):
        updates, state = optimizer.update({"a": jnp.array([0.1 * t])}, state, params)
        params = {"a": params["a"] + updates["a"]}
        kept = min(0.5, t / (t + 9))
        wanted = kept * wanted + (1 - kept) * float(params["a"][0])
    assert float(state[-1].average["a"][0]) == pytest.approx(wanted, rel=1e-6) and params["a"][0] < wanted < 0
