"""Run by `python -m experiments.music_generation`."""

from experiments.cli import run_commands
from experiments.music_generation.commands import evaluate, generate, resume, train

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, generate)}, default="train")
