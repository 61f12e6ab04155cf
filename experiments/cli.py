"""The command line that all experiments share: ``python -m experiments.NAME [COMMAND] [--flags]``."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tyro

from rnn_jax.train import CheckpointError, Diverged, Run

Flags = tyro.conf.OmitArgPrefixes
"""Marks a dataclass argument of a command whose fields are flags without the argument's name before them."""


def run_commands(commands: dict[str, Callable], default: str, arguments: list[str] | None = None) -> None:
    """Run one of ``commands``, ``default`` where none is named; flags come from the function's signature.

    What a user can mend (a wrong value, a missing file, a damaged checkpoint) ends in one line and exit code 1; a
    traceback means a mistake in the program.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] not in (*commands, "-h", "--help"):
        arguments = [default, *arguments]
    try:
        code = tyro.extras.subcommand_cli_from_dict(commands, args=arguments)
    except (ValueError, CheckpointError, Diverged, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(code or 0)


def open_run(path: Path, config_type: type) -> tuple[Run, Any]:
    """A run directory and its config.

    Raises:
        ValueError: there is no run, or it is one of another experiment.
    """
    run = Run(path)
    stored = run.read_json("config.json")
    if set(stored) != {field.name for field in dataclasses.fields(config_type)}:
        raise ValueError(f"run={str(path)!r} belongs to another experiment or version: its config has {sorted(stored)}")
    return run, config_type(**stored)
