"""One config for each task: what a task does not use is an error, on the command line and in a study."""

import pytest

from experiments.speech import EXPERIMENT
from rnn_jax.studies.grid import make_conditions
from rnn_jax.train import flatten
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)


def test_a_study_of_what_a_task_does_not_use_is_refused():
    with pytest.raises(ValueError, match="field 'pooling' is not known of task strings"):
        make_conditions(EXPERIMENT, ["task=strings"], ["pooling=max,mean"])
    with pytest.raises(ValueError, match="field 'variation' is not known of task vowels"):
        make_conditions(EXPERIMENT, ["task=vowels"], ["variation=0,1"])
    conditions = make_conditions(EXPERIMENT, ["task=vowels", "buckets=1"], ["pooling=max,mean"])
    assert [condition.config.model.pooling for condition in conditions] == ["max", "mean"]


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ("", {"task": "digits", "hidden_size": 128, "layers": 2, "steps": 400, "pooling": "mean", "noise": 0.1}),
        ("--model transformer --task strings", {"model": "transformer", "variation": 1.0, "masked_bands": 8}),
        (
            "--steps 600 --evaluate-every 600 --cpu-devices 1 --task vowels --no-hold-out",
            {"steps": 600, "hold_out": False, "weight_decay": 0.01, "learning_rate": 2e-3},
        ),
    ],
)
def test_flags_of_each_task(arguments, fields):
    config = flatten(command.config(*arguments.split()))
    assert {name: config[name] for name in fields} == fields


def test_runs_of_earlier_versions_had_the_fields_of_all_tasks():
    every = flatten(EXPERIMENT.configure({"task": "digits"}))
    for task in EXPERIMENT.Config:
        config = EXPERIMENT.configure({"task": task, "layers": "3"})
        assert EXPERIMENT.configure(EXPERIMENT.upgrade(every | flatten(config))) == config


def test_runs_of_earlier_versions_had_no_own_channels_and_one_network():
    for task in EXPERIMENT.Config:
        config = EXPERIMENT.configure({"task": task, "layers": "3"})
        stored = {n: v for n, v in flatten(config).items() if n not in ("channel", "skip_unreadable", "members")}
        assert EXPERIMENT.configure(EXPERIMENT.upgrade(stored)) == config
        assert set(EXPERIMENT.upgrade(stored)) == set(flatten(config))
        assert EXPERIMENT.upgrade({"task": task, "layers": 3}) == {"task": task, "layers": 3}
