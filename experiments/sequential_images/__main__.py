"""Run by `python -m experiments.sequential_images`."""

from experiments.cli import run_commands
from experiments.sequential_images.commands import classify, evaluate, resume, train

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, classify)}, default="train")
