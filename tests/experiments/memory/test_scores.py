"""What a task is measured by, and what is left without a memory."""

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.memory import EXPERIMENT
from experiments.memory.config import Config
from experiments.memory.scores import memoryless_score, scores_at_length
from rnn_jax.train import key_for


@pytest.mark.exhaustive
def test_copies_count_nats_a_step_and_the_share_of_symbols():
    fields = {"task": "copy", "length": 90, "cell": "elman", "hidden_size": 4, "held_out": 32}
    config = EXPERIMENT.configure(fields)
    (params, rebuild), blanks = config.model.labelers(config.tasks, key_for(0, "init")), np.array([9.0] + 8 * [0.0])
    score = params["copy"]["score"]
    params["copy"]["score"] = {"kernel": 0 * score["kernel"], "bias": jnp.asarray(blanks, jnp.float32)}
    scores = scores_at_length(config, rebuild, params, 90)
    assert list(scores) == ["nats/step", "accuracy %"] and scores["accuracy %"] == 0, "blanks do not count"
    nats = np.log(np.exp(9) + 8) - 9 * 100 / 110  # blanks in 100 of the 110 steps
    assert scores["nats/step"] == pytest.approx(nats, rel=1e-4)


def test_what_is_reached_without_a_memory():
    assert memoryless_score(Config()) == 1 / 6
    assert memoryless_score(Config(task="copy", length=1000)) == pytest.approx(10 * np.log(8) / 1020)
    assert [memoryless_score(Config(task=task)) for task in ("selective_copy", "recall")] == [12.5, 3.125]
