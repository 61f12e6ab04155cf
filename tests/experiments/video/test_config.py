"""One config for each task: what a task does not use is an error, on the command line and in a study."""

import pytest

from experiments.video import EXPERIMENT
from experiments.video.config import FLAT, SPATIAL
from rnn_jax.studies.grid import make_conditions
from rnn_jax.train import flatten
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)


def test_a_study_of_what_a_task_does_not_use_is_refused():
    with pytest.raises(ValueError, match=r"field 'cell' is not known of task frames: expected one of .*, frame_cell,"):
        make_conditions(EXPERIMENT, ["task=frames"], ["cell=lstm,gru"])
    with pytest.raises(ValueError, match="field 'frame_cell' is not known of task libras"):
        make_conditions(EXPERIMENT, [], ["frame_cell=lstm,conv_lstm"])
    with pytest.raises(ValueError, match="hidden_size=32: conv_lstm has images as states, set by channels, patch, "):
        make_conditions(EXPERIMENT, ["task=frames"], ["hidden_size=32,64"])
    with pytest.raises(ValueError, match="channels=8: gru has flat states, set by hidden_size; leave it out"):
        make_conditions(EXPERIMENT, ["task=frames", "frame_cell=gru"], ["channels=8,16"])
    conditions = make_conditions(EXPERIMENT, ["task=frames"], ["frame_cell=conv_lstm,lstm"])
    assert [condition.config.model.summary for condition in conditions] == ["conv_lstm 1 x 32", "lstm 1 x 64"]


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ("", {"task": "libras", "data": "libras", "hidden_size": 64, "cell": "gru", "hold_out": True}),
        ("--no-hold-out --evaluate-every 1000 --cpu-devices 1", {"hold_out": False, "averaging": 0.98, "steps": 1000}),
        ("--task captions --steps 2500 --evaluate-every 250", {"embedding_size": 64, "attention": "multiplicative"}),
        ("--task frames --frame-cell lstm --hidden-size 256", {"hidden_size": 256, "patch": None}),
        ("--task frames --channels 16", {"frame_cell": "conv_lstm", "channels": 16, "hidden_size": None}),
    ],
)
def test_flags_of_each_task(arguments, fields):
    config = flatten(command.config(*arguments.split()))
    assert {name: config[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task": "films"}, "task='films'"),
        ({"pooling": "sum"}, "pooling='sum'"),
        ({"variation": -1.0}, "variation=-1.0"),
        ({"batch_size": 0}, "batch_size"),
        ({"task": "captions", "look_every": 0}, "look_every"),
        ({"task": "frames", "frames": 3}, "frames=3"),
        ({"task": "frames", "patch": 0}, "patch"),
        ({"task": "frames", "frame_cell": "lstm", "hidden_size": 0}, "hidden_size"),
        ({"task": "frames", "frame_cell": "conv"}, "cell='conv' is unknown"),
    ],
)
def test_values_out_of_range_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        EXPERIMENT.configure(fields)


def test_runs_of_earlier_versions_had_the_fields_of_all_tasks():
    every = {n: v for task in EXPERIMENT.Config for n, v in flatten(EXPERIMENT.configure({"task": task})).items()}
    every |= SPATIAL | FLAT
    for task in EXPERIMENT.Config:
        config = EXPERIMENT.configure({"task": task, "layers": "3"})
        stored = {name: value for name, value in flatten(config).items() if value is not None}
        assert EXPERIMENT.configure(EXPERIMENT.upgrade(every | stored)) == config
    with pytest.raises(ValueError, match=r"frame_cell=\['lstm'\]: expected str"):
        EXPERIMENT.configure(EXPERIMENT.upgrade(every | {"task": "frames", "frame_cell": ["lstm"]}))


def test_captions_of_earlier_versions_were_read_by_the_coarse_reader():
    config = flatten(EXPERIMENT.configure({"task": "captions", "layers": "3"}))
    new = {"reader": "coarse", "look_every": 1}
    for newer in ({}, {"reader": "fine", "look_every": 4}):
        stored = {name: value for name, value in config.items() if name not in new} | newer
        assert flatten(EXPERIMENT.configure(EXPERIMENT.today(stored))) == config | new | newer
    assert EXPERIMENT.today({"task": "captions", "layers": 3}).keys() == {"task", "layers"}, (
        "a few fields stay as they are"
    )
