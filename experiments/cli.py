"""The command line that all experiments share: ``python -m experiments.NAME [COMMAND] [--flags]``."""

import sys
from collections.abc import Callable

import tyro

from rnn_jax.data import DataError
from rnn_jax.train import CheckpointError, Diverged


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
    except (ValueError, DataError, CheckpointError, Diverged, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(code or 0)
