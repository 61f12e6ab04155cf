"""Run by `python -m experiments.gradient_flow`."""

from experiments.cli import run_commands
from experiments.gradient_flow.commands import compare, draw, resume, train

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (compare, train, resume, draw)}, default="compare")
