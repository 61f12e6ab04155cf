"""The command line that all experiments share: `python -m experiments.NAME [COMMAND] [--flags]`."""

import dataclasses
import difflib
import functools
import inspect
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tyro

from experiments.registry import field_value, read_object
from rnn_jax.train import CheckpointError, Diverged, Run, RunOptions

Flags = tyro.conf.OmitArgPrefixes
"""Marks a dataclass argument of a command whose fields are flags without the argument's name before them."""

CONFIG = "--config FILE takes the values of a JSON file, config.json of a run say, where no flag says otherwise."


def run_commands(commands: dict[str, Callable], default: str, arguments: list[str] | None = None) -> None:
    """Run one of `commands`, `default` where none is named; flags come from the function's signature.

    `--help` without a command prints the experiment's page and the flags of the default command. What a user can
    mend (a wrong value, a missing file, a damaged checkpoint) ends in one line and exit code 1 or 2; a traceback means
    a mistake in the program. A command with an argument `config` has a flag more, `--config FILE`.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    program, page = _program(commands[default])
    named = bool(arguments) and arguments[0] in commands
    if arguments and not named and not arguments[0].startswith("-"):
        near = difflib.get_close_matches(arguments[0], commands, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        print(f"error: unknown command {arguments[0]!r}: {hint}The commands are {', '.join(commands)}", file=sys.stderr)
        raise SystemExit(2)
    name, rest = (arguments[0], arguments[1:]) if named else (default, arguments)
    asked = bool(set(rest) & {"-h", "--help"}) and not named
    _call(commands[name], rest, f"{program} {name}", page if asked else None)


def run_command(command: Callable, arguments: list[str] | None = None) -> None:
    """Run the only command of a program, as `run_commands` does, but without its name on the command line."""
    _call(command, sys.argv[1:] if arguments is None else arguments, *_program(command))


def _program(command: Callable) -> tuple[str, str | None]:
    """How the program that holds a command is started, and its page."""
    module = inspect.getmodule(command)
    name = module.__spec__.name.removesuffix(".commands") if module and module.__spec__ else ""
    start = f"python -m {name}" if name else sys.argv[0]
    return start, module.__doc__ if module else None


def _call(command: Callable, arguments: list[str], program: str, page: str | None) -> None:
    try:
        config = inspect.signature(command).parameters.get("config")
        if config is not None and dataclasses.is_dataclass(config.default):
            page = f"{page or inspect.getdoc(command)}\n\n{CONFIG}"
            file, arguments = _split_config(arguments)
            if file is not None:
                command = functools.partial(command, config=read_config(file, type(config.default)))
        code = tyro.cli(command, args=arguments, prog=program, description=page)
    except (ValueError, CheckpointError, Diverged, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(code or 0)


def _split_config(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """The FILE of `--config FILE` or `--config=FILE`, and the other words."""
    for i, word in enumerate(arguments):
        flag, equals, file = word.partition("=")
        if flag == "--config":
            used = 1 if equals else 2
            found = file if equals else "".join(arguments[i + 1 : i + 2])
            if not found or found.startswith("-"):
                raise ValueError("--config needs a FILE: a JSON file of an experiment's fields, such as best.json")
            return Path(found), arguments[:i] + arguments[i + used :]
    return None, arguments


def read_config(file: Path, config_type: type) -> Any:
    """A config by the values of a JSON file; what the file does not name is the default.

    Raises:
        ValueError: there is no such file, it is not JSON, or has fields or values that the config has not.
    """
    values = read_object("config", file, '{"FIELD": VALUE, ...}')
    known = {field.name for field in dataclasses.fields(config_type)}
    if unknown := [name for name in values if name not in known]:
        raise ValueError(
            f"config={str(file)!r} has fields that this experiment has not: {', '.join(unknown)}; take them out, or "
            f"name a file of this experiment. Its fields are {', '.join(sorted(known))}"
        )
    return config_type(**{name: field_value(config_type, name, value) for name, value in values.items()})


def as_command(module: str, *words: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The command line that has these values: one flag for each that is not the default; a tuple's flag is repeated."""
    for name, value in values.items():
        if name in defaults and value == defaults[name]:
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words += (f"--{flag}" if value else f"--no-{flag}",)
        else:
            for one in value if isinstance(value, tuple) else (value,):
                words += (f"--{flag}", str(one))
    return shlex.join(["python", "-m", f"experiments.{module}", *words])


def open_run(path: Path, config_type: type) -> tuple[Run, Any]:
    """A run directory and its config.

    Raises:
        ValueError: there is no run, or it is one of another experiment.
    """
    run = Run.open(path)
    stored = run.read_json("config.json")
    if set(stored) != {field.name for field in dataclasses.fields(config_type)}:
        raise ValueError(f"run={str(path)!r} belongs to another experiment or version: its config has {sorted(stored)}")
    return run, config_type(**stored)


def resume_command(train: Callable[[Any, RunOptions], int], config_type: type) -> Callable[..., int]:
    """The command `resume RUN` of an experiment, out of its command `train`."""

    def resume(run: tyro.conf.Positional[Path]) -> int:
        """Go on with a run that was interrupted, from its newest checkpoint."""
        opened, config = open_run(run, config_type)  # its path is absolute, so that RUN may be "." too
        return train(config, RunOptions(runs=opened.path.parent.parent, name=opened.path.name, resume=True))

    return resume
