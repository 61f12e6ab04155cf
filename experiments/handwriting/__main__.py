"""Run by `python -m experiments.handwriting`."""

from experiments.cli import run_commands
from experiments.handwriting.commands import evaluate, recognise, resume, train

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, recognise)}, default="train")
