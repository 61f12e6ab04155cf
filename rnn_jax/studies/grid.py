"""The configs of a study, from the words of a command line."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnn_jax.studies.study import Condition
from rnn_jax.train.experiment import Experiment
from rnn_jax.train.fields import flatten, read_object, read_pairs

FIXED = {"seed": "use --seeds", "cpu_devices": "use --set, for it is one for the whole study"}


def make_conditions(
    experiment: Experiment, fixed: Sequence[str], vary: Sequence[str], sets: Path | None = None, zipped: bool = False
) -> list[Condition]:
    """The configs of a study, checked before anything is trained.

    Args:
        experiment: whose configs.
        fixed: FIELD=VALUE of all of them.
        vary: FIELD=VALUE,VALUE,... of each field that varies.
        sets: a JSON file of named sets of fields, each of which is combined with all that varies.
        zipped: take the first values of all fields, the second, ..., in place of their grid.

    Raises:
        ValueError: a field or value is not known, a field is given twice, lists to be zipped are not of one length,
            `sets` is no such file, or the configs are of several tasks.
    """
    base = merged(map(read_pairs, fixed))
    lists = merged({field: values.split(",")} for field, values in map(split_field, vary))
    if both := sorted(base.keys() & lists.keys()):
        raise ValueError(f"{both[0]} is set for all and varies: leave out one of --set and --vary")
    if zipped and len({len(values) for values in lists.values()}) > 1:
        lengths = ", ".join(f"{field} {len(values)}" for field, values in lists.items())
        raise ValueError(f"zip: expected lists of one length, not {lengths}")
    chosen = zip(*lists.values(), strict=True) if zipped and lists else itertools.product(*lists.values())
    form = '{"NAME": {"FIELD": VALUE, ...}, ...}'
    named: dict[str, dict[str, Any]] = read_object("sets", sets, form) if sets else {"": {}}
    if not all(isinstance(fields, dict) for fields in named.values()):
        raise ValueError(f"sets={str(sets)!r}: expected {form}")
    conditions = []
    for values, (name, fields) in itertools.product(list(chosen), named.items()):
        changes = merged([dict(zip(lists, values, strict=True)), fields])
        for field in changes.keys() & FIXED.keys():
            raise ValueError(f"{field} cannot vary: {FIXED[field]}")
        config = experiment.configure(base | changes)
        shown = {field: value for field, value in flatten(config).items() if field in lists}
        conditions.append(Condition(({"set": name} if name else {}) | shown, config))
    if isinstance(experiment.Config, Mapping) and len(kinds := {type(one.config) for one in conditions}) > 1:
        tasks = [task for task, kind in experiment.Config.items() if kind in kinds]
        raise ValueError(
            f"task={','.join(tasks)}: expected one, for what is measured in another is no value to test against; "
            f"make a study of each, with --set task={tasks[0]}"
        )
    return conditions


def merged(parts: Any) -> dict[str, Any]:
    """Dicts as one.

    Raises:
        ValueError: two have the same key.
    """
    found: dict[str, Any] = {}
    for part in parts:
        if twice := found.keys() & part.keys():
            raise ValueError(f"{', '.join(sorted(twice))} is given twice: name each field once")
        found |= part
    return found


def split_field(text: str) -> tuple[str, str]:
    """FIELD=VALUE,VALUE as the field and the values."""
    field, equals, values = text.partition("=")
    if not (field and equals and all(values.split(","))):
        raise ValueError(f"vary={text!r}: expected FIELD=VALUE,VALUE,...")
    return field.replace("-", "_"), values


def find_reference(conditions: list[Condition], text: str) -> Condition:
    """The one condition whose fields are those of `text`.

    Raises:
        ValueError: there is not exactly one.
    """
    wanted = read_pairs(text) if text else {}
    found = [
        condition
        for condition in conditions
        if all(str(condition.fields.get(f)) == value for f, value in wanted.items())
    ]
    if not found or (wanted and len(found) > 1):
        raise ValueError(
            f"reference={text!r} is {len(found)} configs of: {'; '.join(condition.name for condition in conditions)}"
        )
    return found[0]
