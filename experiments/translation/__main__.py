"""Run by `python -m experiments.translation`."""

from experiments.cli import run_commands
from experiments.translation.commands import evaluate, resume, train, translate

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, translate)}, default="train")
