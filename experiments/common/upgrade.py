"""Configs that earlier versions wrote: with one type for all tasks of an experiment, or without the newest fields."""

from collections.abc import Callable, Mapping
from typing import Any

from rnn_jax.train.fields import default_values, field_types


def drop_other_tasks(configs: Mapping[str, type[Any]], *newer: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The `upgrade` of an experiment: from the fields of all its tasks to those of a config's own, newer ones too.

    Values that do not have all the fields of their task, such as a few in a file for `--config`, are no such config:
    they stay as they are, so that a field of another task is an error.

    Args:
        configs: the type of each task's configs, by the task's name.
        newer: fields that have come since, see `add_fields`.
    """
    every = {name for config_type in configs.values() for name in field_types(config_type)}

    def upgrade(stored: dict[str, Any]) -> dict[str, Any]:
        task = stored.get("task")
        config_type = configs.get(task) if isinstance(task, str) else None
        stored = add_fields(config_type, *newer)(stored) if config_type else stored
        own = field_types(config_type).keys() if config_type else every
        return {n: v for n, v in stored.items() if n in own or n not in every} if own <= stored.keys() else stored

    return upgrade


def add_fields(config_type: type[Any], *names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The `upgrade` of an experiment whose configs have got new fields: these have their defaults in older ones.

    A few values in a file for `--config` stay as they are.

    Args:
        config_type: of its configs.
        names: of the new fields.
    """
    added = {name: value for name, value in default_values(config_type).items() if name in names}
    before = field_types(config_type).keys() - added.keys()
    return lambda stored: added | stored if before <= stored.keys() else stored
