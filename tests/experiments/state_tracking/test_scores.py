"""One number for several tasks, tables of lengths, and what others have reached."""

import jax
import numpy as np

from experiments.common.synthetic import SampleStream
from experiments.common.synthetic_training import StepScores
from experiments.state_tracking.config import Config
from experiments.state_tracking.data import Parity
from experiments.state_tracking.scores import length_table, majority_accuracy, mean_accuracy, published_results


def test_what_others_reached_stands_beside_the_same_test_alone():
    known = {p["who"]: p["value"] for p in published_results(Config())}
    assert known == {"RNN": 100.0, "LSTM": 100.0, "transformer": 58.5}
    scaled = published_results(Config(task="parity", test_length=256, scaled=True))
    assert {p["who"]: p["value"] for p in scaled}["mLSTM"] == 0.087 and scaled[-1]["who"] == "DeltaNet [-1, 1]"
    for other in ({"test_length": 256}, {"task": "s5"}, {"task": "parity", "scaled": True}):
        assert published_results(Config(**other)) == []


def test_accuracies_of_several_tasks_are_one_number():
    assert mean_accuracy(Config(task="parity", scaled=True), {"parity": 75.0}) == 0.5
    assert mean_accuracy(Config(), dict.fromkeys(Config().tasks, 60.0)) == 60.0


def test_the_commonest_class():
    stream = SampleStream(Parity(), jax.random.key(0), (5,))
    targets = np.asarray(jax.jit(stream)(np.arange(128, dtype=np.int32)).targets)
    assert majority_accuracy(stream, 128, begin=2) == 100 * max(np.mean(targets[2:] == k) for k in (0, 1))


def test_a_table_of_lengths():
    scores = StepScores(np.zeros(3), np.array([2, 1, 0]), np.array([2, 2, 2]))
    assert length_table({"parity": scores}, 1, {"parity": 50.0}).splitlines()[1].split() == [
        "parity", "100.00", "25.00", "0.00", "50.00",
    ]  # fmt: skip
