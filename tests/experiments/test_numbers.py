"""Every number of every config is checked where it is given, by its name."""

import dataclasses
import math
from typing import Any

import pytest

from experiments.registry import experiment_names, load_experiment

NEEDED: dict[str, dict[str, Any]] = {"own": {"csv": "mine.csv", "target": "value"}}
"""What the config of a task cannot do without."""


def configs():
    """A config of each task of each experiment."""
    for name in experiment_names():
        found = load_experiment(name).Config
        for task, kind in found.items() if isinstance(found, dict) else [(name, found)]:
            yield pytest.param(kind(**NEEDED.get(task, {})), id=f"{name}-{kind.__name__}")


def numbers_of(config: Any, *path: str):
    """The names on the way to each number of a config and its parts, and the number."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from numbers_of(value, *path, field.name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield (*path, field.name), value


def with_number(config: Any, path: tuple[str, ...], value: float) -> Any:
    """The config with another number."""
    name, *rest = path
    return dataclasses.replace(
        config, **{name: with_number(getattr(config, name), tuple(rest), value) if rest else value}
    )


@pytest.mark.parametrize("config", list(configs()))
def test_what_is_no_size_and_no_number_is_refused_by_its_name(config):
    for path, value in numbers_of(config):
        with pytest.raises(ValueError, match=path[-1]):
            with_number(config, path, math.nan if isinstance(value, float) else -1)
            raise AssertionError(f"{'.'.join(path)} was accepted")
