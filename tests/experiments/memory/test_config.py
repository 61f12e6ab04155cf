"""Which configs are refused, and what suits the task."""

import jax
import pytest

from experiments.memory import EXPERIMENT
from experiments.memory.config import Config


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task": "forgetting"}, "task='forgetting'"),
        ({"length": 0}, "length=0"),
        ({"held_out": 0}, "held_out=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"bidirectional": True}, "bidirectional=True"),
    ],
)
def test_bad_configs_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        EXPERIMENT.configure(fields)


def test_a_length_without_room_for_the_task_is_refused():
    with pytest.raises(ValueError, match=r"length=20.*pairs"):
        Config(task="recall").streams(jax.random.key(0), 20)
