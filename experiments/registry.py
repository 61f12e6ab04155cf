"""An experiment by its name: its Config and its `prepare`, and the values of its fields from words."""

import dataclasses
import importlib
import json
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rnn_jax.train import FitConfig, Prepared

FOLDER = Path(__file__).parent
PARSERS: dict[type, Callable[[str], Any]] = {int: int, float: float, str: str, Path: Path}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A module of experiments/ that trains.

    Attributes:
        name: of the module.
        config: its Config.
        prepare: from a config to what is trained.
        question: the first line of its page.
    """

    name: str
    config: type[FitConfig]
    prepare: Callable[[Any], Prepared]
    question: str

    def configure(self, values: Mapping[str, Any], base: FitConfig | None = None) -> FitConfig:
        """A config with some fields set, from words (a command line) or from JSON.

        Raises:
            ValueError: a field is not known, or a value is not of its type or not allowed.
        """
        found = {field: field_value(self.config, field, value) for field, value in values.items()}
        return self.config(**found) if base is None else dataclasses.replace(base, **found)


def load_experiment(name: str) -> Experiment:
    """The experiment of a name, or a module of one's own with `Config` and `prepare`, such as my_package.my_experiment.

    Raises:
        ValueError: there is none.
    """
    known, module = experiment_names(), None
    path = f"experiments.{name}.commands" if name in known else name
    try:
        if all(part.isidentifier() for part in path.split(".")):
            module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise  # what is missing is something that the experiment imports
    if module is None or not (hasattr(module, "Config") and hasattr(module, "prepare")):
        raise ValueError(
            f"experiment={name!r}: expected one of {', '.join(known)}, or a module of yours with Config and prepare"
        )
    return Experiment(name.rpartition(".")[2], module.Config, module.prepare, (module.__doc__ or name).split("\n")[0])


def experiment_names() -> list[str]:
    """The folders beside this module that hold commands; none is imported."""
    return sorted(file.parent.name for file in FOLDER.glob("*/commands.py"))


def field_value(config: type, field: str, value: Any) -> Any:
    """A value of a field of a config, from a word or from JSON.

    Raises:
        ValueError: there is no such field, or the value is not of its type.
    """
    hints = typing.get_type_hints(config)
    known = [one.name for one in dataclasses.fields(config)]
    if field not in known:
        raise ValueError(f"field {field!r} is not known: expected one of {', '.join(sorted(known))}")
    hint = hints[field]
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    options = typing.get_args(hint) if union else (hint,)
    if type(None) in options and value in (None, "none", "None"):
        return None
    for option in options:
        if option is bool and str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        if option in PARSERS and not isinstance(value, bool | list | dict | None):
            try:
                return PARSERS[option](str(value))
            except ValueError:
                continue
    wanted = " or ".join(getattr(option, "__name__", str(option)) for option in options)
    raise ValueError(f"{field}={value!r}: expected {'true or false' if options == (bool,) else wanted}")


def read_object(argument: str, file: Path, form: str) -> dict[str, Any]:
    """The object in a JSON file that a command's `argument` names.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    named = f"{argument}={str(file)!r}"
    try:
        values = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{named} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{named} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{named}: expected {form}")
    return values


def pairs(text: str) -> dict[str, str]:
    """FIELD=VALUE,FIELD=VALUE as a dict.

    Raises:
        ValueError: it is not of this form.
    """
    found = [part.partition("=") for part in text.split(",")]
    if not all(field and equals and value for field, equals, value in found):
        raise ValueError(f"{text!r}: expected FIELD=VALUE, or several with commas between them")
    return {field.strip().replace("-", "_"): value.strip() for field, _, value in found}
