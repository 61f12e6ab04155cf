"""Run by `python -m experiments.predictive_maintenance`."""

from experiments.cli import run_commands
from experiments.predictive_maintenance.commands import evaluate, predict, resume, train

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, predict)}, default="train")
