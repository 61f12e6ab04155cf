"""A config by its fields: it may be composed of parts, and every field has one name over all of them.

    @dataclass(frozen=True, kw_only=True)
    class Config:
        model: SequenceConfig = SequenceConfig(hidden_size=64)
        fit: FitConfig = FitConfig(steps=200)

has the fields `hidden_size`, `steps` and so on: as flags on a command line, in config.json, in a study.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rnn_jax.checks import nearest

PARSERS: dict[type, Callable[[str], Any]] = {int: int, float: float, str: str, Path: Path}

T = TypeVar("T")


def field_types(config_type: type) -> dict[str, Any]:
    """The type of each field of a config and of its parts, by name.

    Raises:
        ValueError: two fields have one name.
    """
    found: dict[str, Any] = {}
    for name, hint in _hints(config_type).items():
        part = field_types(hint) if _is_part(hint) else {name: hint}
        if twice := found.keys() & part.keys():
            raise ValueError(f"{config_type.__name__} has the field {', '.join(sorted(twice))} twice: rename one")
        found |= part
    return found


def flatten(config: Any) -> dict[str, Any]:
    """The values of the fields of a config and of its parts, by name."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        values |= flatten(value) if _is_part(type(value)) else {field.name: value}
    return values


def default_values(config_type: type) -> dict[str, Any]:
    """The defaults of the fields of a config and of its parts, by name; a field without one is left out."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(config_type):
        start = field.default_factory() if callable(field.default_factory) else field.default
        if start is dataclasses.MISSING:
            hint = _hints(config_type)[field.name]
            values |= default_values(hint) if _is_part(hint) else {}
        else:
            values |= flatten(start) if _is_part(type(start)) else {field.name: start}
    return values


def make_config(config_type: type[T], values: Mapping[str, Any]) -> T:
    """The config with these values; what they do not name is the default.

    Raises:
        ValueError: there is no such field, or the config refuses a value.
    """
    _check_known(config_type, values)
    changes: dict[str, Any] = {}
    hints = _hints(config_type)
    for field in dataclasses.fields(typing.cast(Any, config_type)):
        if not _is_part(hint := hints[field.name]):
            changes |= {field.name: values[field.name]} if field.name in values else {}
        elif inside := {name: values[name] for name in field_types(hint) if name in values}:
            start = field.default_factory() if callable(field.default_factory) else field.default
            changes[field.name] = (
                make_config(hint, inside) if start is dataclasses.MISSING else replace_fields(start, **inside)
            )
    return config_type(**changes)


def replace_fields(config: T, **values: Any) -> T:
    """The same config with other values of some of its fields, in whatever part they are.

    Raises:
        ValueError: there is no such field, or the config refuses a value.
    """
    _check_known(type(config), values)
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(typing.cast(Any, config)):
        value = getattr(config, field.name)
        if not _is_part(type(value)):
            changes |= {field.name: values[field.name]} if field.name in values else {}
        elif inside := {name: values[name] for name in field_types(type(value)) if name in values}:
            changes[field.name] = replace_fields(value, **inside)
    return dataclasses.replace(typing.cast(Any, config), **changes)


def read_field(config_type: type, field: str, value: Any) -> Any:
    """A value of a field of a config, from a word of a command line or from JSON.

    Raises:
        ValueError: there is no such field, or the value is not of its type.
    """
    _check_known(config_type, [field])
    hint = field_types(config_type)[field]
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    options = typing.get_args(hint) if union else (hint,)
    if type(None) in options and value in (None, "none", "None"):
        return None
    for option in options:
        if option is bool and str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        if typing.get_origin(option) is typing.Literal and value in typing.get_args(option):
            return value
        if typing.get_origin(option) is tuple and isinstance(value, list | tuple):
            return tuple(value)
        if option in PARSERS and not isinstance(value, bool | list | dict | None):
            try:
                return PARSERS[option](str(value))
            except ValueError:
                continue
    wanted = " or ".join(_type_words(option) for option in options)
    raise ValueError(f"{field}={value!r}: expected {'true or false' if options == (bool,) else wanted}")


def read_values(config_type: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of fields, each by `read_field`."""
    return {name: read_field(config_type, name, value) for name, value in values.items()}


def read_object(argument: str, file: Path, form: str) -> dict[str, Any]:
    """The object in a JSON file that a command's `argument` names.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    named = f"{argument}={str(file)!r}"
    values = read_json(file, named, "is not JSON")
    if not isinstance(values, dict):
        raise ValueError(f"{named}: expected {form}")
    return values


def read_json(file: Path, named: str, fault: str, remedy: str = "") -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: it cannot be read, or `named` has the `fault` that it is no JSON, with the line; `remedy` ends it.
    """
    try:
        return json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{named} cannot be read: {error.strerror}{remedy}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{named} {fault}: {error}{remedy}") from None


def read_pairs(text: str) -> dict[str, str]:
    """FIELD=VALUE,FIELD=VALUE as a dict; a value may be empty, for fields of text.

    Raises:
        ValueError: it is not of this form.
    """
    found = [part.partition("=") for part in text.split(",")]
    if not all(field and equals for field, equals, _ in found):
        raise ValueError(f"{text!r}: expected FIELD=VALUE, or several with commas between them")
    return {field.strip().replace("-", "_"): value.strip() for field, _, value in found}


def _check_known(config_type: type, fields: Iterable[str]) -> None:
    known = field_types(config_type)
    for field in fields:
        if field not in known:
            tasks = typing.get_args(known.get("task"))
            of = f" of task {tasks[0]}" if len(tasks) == 1 else ""
            hint = nearest(field, known)
            raise ValueError(f"field {field!r} is not known{of}: {hint}expected one of {', '.join(sorted(known))}")


def _hints(config_type: type) -> dict[str, Any]:
    hints = typing.get_type_hints(config_type)
    return {field.name: hints[field.name] for field in dataclasses.fields(typing.cast(Any, config_type))}


def _is_part(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _type_words(option: Any) -> str:
    if typing.get_origin(option) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(option)))
    return getattr(option, "__name__", str(option))
