"""Run by `python -m experiments.speech`."""

from experiments.cli import run_commands
from experiments.speech.commands import evaluate, resume, train, transcribe

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, transcribe)}, default="train")
