"""Run by `python -m experiments.video`."""

from experiments.cli import run_commands
from experiments.video.commands import evaluate, resume, train, watch

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, watch)}, default="train")
