"""Configs of models of music: values out of range, and the beat of a set."""

import pytest

from experiments.music_generation import EXPERIMENT
from experiments.music_generation.config import MusicConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bidirectional": True}, "reads forwards only"),
        ({"input_dropout": 1.0}, "input_dropout"),
        ({"weight_noise": -0.1}, "weight_noise=-0.1"),
        ({"transposition": -1}, "transposition=-1"),
        ({"transposition": 88}, "0 to 87"),
        ({"longest": 0}, "longest"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EXPERIMENT.configure(options)


def test_the_beat_is_that_of_the_set_or_the_files():
    assert [MusicConfig(data=d).beat for d in ("jsb", "pianomidi", "own")] == [1, 2, 2]
    assert MusicConfig(data="own", steps_per_beat=4).beat == 4
    with pytest.raises(ValueError, match=r"steps_per_beat=4.* jsb has steps of its own"):
        MusicConfig(steps_per_beat=4)
