"""Losses by windows have the value of the whole sequence; online its gradient too, truncated another one."""

import json

import chex
import jax
import numpy as np
import pytest

from experiments.common.synthetic import index_batch
from experiments.common.synthetic_training import make_loss
from experiments.memory import EXPERIMENT
from experiments.memory.online import windowed_loss
from tests.experiments.as_user import Commands

SMALL = {"task": "adding", "length": 12, "cell": "mingru", "hidden_size": 4, "window": 5}


def gradients(**fields):
    """Value and gradient by windows, and without any."""
    config = EXPERIMENT.configure(SMALL | fields)
    params, rebuild = config.model.labelers(config.tasks, jax.random.key(0))
    batch = index_batch(0, 3, jax.random.key(1))
    whole = make_loss(rebuild, lambda key: config.streams(key, config.length))
    losses = windowed_loss(config, params, rebuild), whole
    found = []
    for loss in losses:
        value = jax.value_and_grad(lambda params, loss=loss: loss(params, None, batch, jax.random.key(2))[0])
        found.append(jax.jit(value)(params))
    return found


@pytest.mark.parametrize(
    "fields",
    [
        {},
        pytest.param({"task": "copy", "length": 3, "cell": "lru"}, marks=pytest.mark.exhaustive),
        pytest.param({"window": 1}, marks=pytest.mark.exhaustive),
    ],
    ids=str,
)
def test_online_gradients_are_those_of_the_whole_sequence(fields):
    online, whole = gradients(online=True, **fields)
    chex.assert_trees_all_close(online, whole, rtol=1e-4, atol=1e-6)


def test_truncated_gradients_are_not():
    truncated, whole = gradients()
    np.testing.assert_allclose(truncated[0], whole[0], rtol=1e-5)
    kernels = [g["adding"]["layer"]["params"]["layer_0"]["input"]["kernel"] for _, g in (truncated, whole)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.01 * np.abs(kernels[1]).max()


@pytest.mark.exhaustive
def test_in_a_window_as_long_as_the_sequence_nothing_is_truncated():
    chex.assert_trees_all_close(*gradients(window=12, cell="gru", layers=2), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"window": 0}, "window=0"),
        ({"window": None, "online": True}, "online=True: expected a window"),
        ({"layers": 2, "online": True}, "online=True: expected a window, and a model of one layer"),
        ({"blocks": True}, "window=5: expected layers of cells without blocks and without dropout"),
        ({"dropout": 0.1}, "window=5: expected layers of cells without blocks and without dropout"),
    ],
)
def test_configs_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        EXPERIMENT.configure(SMALL | fields)


def test_a_cell_whose_units_are_not_apart_is_refused_in_one_line(tmp_path, capsys):
    said = Commands(EXPERIMENT).refused(
        capsys, "--runs", tmp_path, "--length", "4", "--cell", "gru", "--hidden-size", "4", "--window", "2", "--online"
    )
    assert "expected one whose units are apart" in said, said


@pytest.mark.exhaustive
def test_memory_over_more_steps_than_the_window_is_learned_online(tmp_path):
    arguments = (
        "--length 20 --cell mingru --hidden-size 16 --held-out 256 --steps 600 --evaluate-every 300 --window 2 "
        "--learning-rate 0.02 --cpu-devices 1"
    ).split()
    values = {}
    for name, flags in {"truncated": [], "online": ["--online"]}.items():
        assert Commands(EXPERIMENT)("--runs", tmp_path, "--name", name, *arguments, *flags) == 0
        values[name] = json.loads((tmp_path / "memory" / name / "result.json").read_text())["value"]
    assert values["online"] < values["truncated"] / 2
