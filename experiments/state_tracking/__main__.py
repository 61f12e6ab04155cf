"""Run by `python -m experiments.state_tracking`."""

from experiments.cli import run_commands
from experiments.state_tracking.commands import evaluate, examples, probe, resume, train

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, examples, probe)}, default="train")
