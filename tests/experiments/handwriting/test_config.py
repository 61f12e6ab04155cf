"""One config for each task: what a task does not use is an error."""

import pytest

from experiments.handwriting import EXPERIMENT
from rnn_jax.studies.grid import make_conditions
from rnn_jax.train import flatten
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)


def test_a_study_of_what_a_task_does_not_use_is_refused():
    with pytest.raises(ValueError, match="field 'pooling' is not known of task strings"):
        make_conditions(EXPERIMENT, ["task=strings"], ["pooling=max,mean"])
    conditions = make_conditions(EXPERIMENT, ["layers=1", "hidden_size=64", "heads=2"], ["pooling=max,mean"])
    assert [condition.config.model.pooling for condition in conditions] == ["max", "mean"]


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ("--evaluate-every 3000 --no-hold-out", {"task": "digits", "steps": 3000, "noise": 0.0, "pooling": "mean"}),
        ("--task strings --steps 600 --evaluate-every 200", {"points": 8, "masked_bands": 0, "averaging": 0.99}),
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
        stored = {name: value for name, value in flatten(config).items() if name != "members"}
        assert EXPERIMENT.configure(EXPERIMENT.upgrade(stored)) == config
        assert set(EXPERIMENT.upgrade(stored)) == set(flatten(config))
