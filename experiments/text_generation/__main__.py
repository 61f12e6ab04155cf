"""Run by `python -m experiments.text_generation`."""

from experiments.cli import run_commands
from experiments.text_generation.commands import evaluate, resume, sample, train

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, sample)}, default="train")
