"""Configs of earlier versions: the fields of other tasks are dropped from whole configs, and from nothing else."""

import dataclasses
from typing import Literal

from experiments.common.upgrade import drop_other_tasks


@dataclasses.dataclass(frozen=True)
class Digits:
    task: Literal["digits"] = "digits"
    pooling: str = "mean"
    steps: int = 1


@dataclasses.dataclass(frozen=True)
class Strings:
    task: Literal["strings"] = "strings"
    steps: int = 1


def test_a_whole_config_keeps_what_its_task_has():
    upgrade = drop_other_tasks({"digits": Digits, "strings": Strings})
    assert upgrade({"task": "strings", "pooling": "max", "steps": 3}) == {"task": "strings", "steps": 3}
    for values in (
        {"task": "digits", "pooling": "max", "steps": 3},
        {"task": "strings", "pooling": "max"},  # a few values in a file: the field is an error
        {"task": "strings", "steps": 3, "hidden_size": 4},  # of no task
        {"task": "vowels", "pooling": "max", "steps": 3},
        {"pooling": "max"},
        {"task": ["strings"], "steps": 3},  # of the wrong type, which is told where its fields are read
    ):
        assert upgrade(values) == values
