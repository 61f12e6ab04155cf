"""Which configs are refused, and which sequences a config draws."""

import jax
import numpy as np
import pytest

from experiments.state_tracking import EXPERIMENT
from experiments.state_tracking.config import Config
from experiments.state_tracking.listops import CLOSE

KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task": "parities"}, "task='parities'"),
        ({"longest": 2}, "longest=2: expected at least 3"),
        ({"test_length": 40}, "test_length=40: expected more than longest=40"),
        ({"curriculum": -1}, "curriculum=-1"),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0: expected a probability, 0 <= label_smoothing < 1"),
        ({"held_out": 0}, "held_out=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"bidirectional": True}, "bidirectional=True"),
    ],
)
def test_bad_configs_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        EXPERIMENT.configure(fields)


def test_lists_have_several_lengths_and_the_others_one():
    lists = Config(task="listops")
    assert lists.streams(KEY, 1, 10)["listops"].lengths == (3, 4, 5, 6, 7, 8, 9, 10)
    stream = lists.streams(KEY, 1, 4)["listops"]
    sample = jax.tree.map(np.asarray, jax.jit(stream)(np.arange(6, dtype=np.int32)))
    ends = sample.mask.argmax(0)
    np.testing.assert_array_equal(ends, np.tile([2, 3], 3))
    assert (sample.mask.sum(0) == 1).all() and (sample.inputs[ends, np.arange(6)] == CLOSE).all()
    assert Config(task="parity").streams(KEY, 1, 10)["parity"].lengths == (10,)


def test_training_grows_and_may_answer_at_the_end_alone():
    streams = EXPERIMENT.configure({"curriculum": 10, "batch_size": 8, "every_step": False}).training_streams(KEY)
    assert list(streams) == ["parity", "even_pairs", "cycle_navigation", "modular_arithmetic"]
    assert all(s.growing == 80 and s.one_step and s.lengths == (40,) for s in streams.values())
    assert len({str(jax.random.key_data(s.key)) for s in streams.values()}) == 4, "tasks draw with keys of their own"


@pytest.mark.exhaustive
def test_smoothing_is_of_training_alone():
    fields = {"task": "parity", "longest": 4, "test_length": 5, "held_out": 4, "batch_size": 4, "hidden_size": 4}
    plain, smooth = (EXPERIMENT.prepare(EXPERIMENT.configure(fields | {"label_smoothing": s})).task for s in (0.0, 0.5))
    losses = [float(task.loss(task.params, task.carry, task.batch(0), KEY)[0]) for task in (plain, smooth)]
    assert losses[0] != losses[1] and plain.evaluate(plain.params) == smooth.evaluate(smooth.params)
