"""Configs that earlier versions wrote, when all tasks of an experiment had one type of config."""

from collections.abc import Callable, Mapping
from typing import Any

from experiments.common.table_cells import TableConfig
from rnn_jax.train.fields import field_types, flatten


def drop_other_tasks(configs: Mapping[str, type[Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The `upgrade` of an experiment: from the fields of all its tasks to those of a config's own task.

    Values that do not have all the fields of their task, such as a few in a file for `--config`, are no such config:
    they stay as they are, so that a field of another task is an error.

    Args:
        configs: the type of each task's configs, by the task's name.
    """
    every = {name for config_type in configs.values() for name in field_types(config_type)}

    def upgrade(stored: dict[str, Any]) -> dict[str, Any]:
        task = stored.get("task")
        config_type = configs.get(task) if isinstance(task, str) else None
        own = field_types(config_type).keys() if config_type else every
        return {n: v for n, v in stored.items() if n in own or n not in every} if own <= stored.keys() else stored

    return upgrade


def add_table_options(config_type: type[Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The `upgrade` of an experiment that reads tables: a config that lacks only options of tables has their defaults.

    Args:
        config_type: of the configs, with a part `TableConfig`.
    """

    def upgrade(stored: dict[str, Any]) -> dict[str, Any]:
        lacking, options = field_types(config_type).keys() - stored.keys(), flatten(TableConfig())
        return stored | {name: options[name] for name in lacking} if lacking <= options.keys() else stored

    return upgrade
