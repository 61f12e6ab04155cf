"""JSON files of a study, which may have been damaged, edited or swapped since they were written."""

from pathlib import Path
from types import EllipsisType
from typing import Any

from rnn_jax.train.fields import read_json
from rnn_jax.train.run import config_hash


def read_stored(file: Path, form: Any, remedy: str) -> Any:
    """What a JSON file holds, if it has a form.

    Args:
        file: of a study.
        form: a type, or several as `int | None`; `[form]` for a list of such; `{"name": form}` for an object that has
            these and perhaps others; `{...: form}` for one with any names.
        remedy: what to do if it is not so.

    Raises:
        ValueError: the file cannot be read, is not JSON (the message has the line), or has another form.
    """
    found = read_json(file, str(file), "is damaged", f"; {remedy}")
    if place := _misfit(found, form):
        raise ValueError(f"{file} is damaged: {place}; {remedy}")
    return found


def read_run(path: Path, form: Any, remedy: str, of_start: Any = dict) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result of a finished run, and what its manifest says of each start.

    Args:
        path: of the run.
        form: of its result, see `read_stored`.
        remedy: what to do if it is not so.
        of_start: the form of what the manifest says of a start.

    Raises:
        ValueError: one of the files is damaged, or they are of two runs.
    """
    manifest = read_stored(path / "manifest.json", {"starts": [of_start]}, remedy)
    result = read_stored(path / "result.json", form, remedy)
    known = [manifest.get("config_hash"), *map(config_hash, manifest.get("configs", []))]
    if any(known) and result.get("config_hash", known[0]) not in known:
        raise ValueError(f"{path}: result.json and manifest.json are of two runs; {remedy}")
    return result, manifest["starts"]


def _misfit(value: Any, form: Any, place: str = "") -> str:
    """Where a value is not of a form, and what it is there; "" if it is."""
    kind = dict if isinstance(form, dict) else list if isinstance(form, list) else form
    if not isinstance(value, kind):
        return f"{place or 'it'} is {value!r:.40}"
    inside: list[tuple[Any, Any, Any]] = []
    if isinstance(form, list):
        inside = [(i, one, form[0]) for i, one in enumerate(value)]
    elif isinstance(form, dict):
        for name, one in form.items():
            if isinstance(name, EllipsisType):
                inside += [(key, value[key], one) for key in value]
            elif name not in value:
                return f"{place or 'it'} has no {name}"
            else:
                inside.append((name, value[name], one))
    found = (_misfit(one, wanted, f"{place}[{name!r}]" if place else str(name)) for name, one, wanted in inside)
    return next(filter(None, found), "")
