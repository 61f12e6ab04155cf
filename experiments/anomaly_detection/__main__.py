"""Run by `python -m experiments.anomaly_detection`."""

from experiments.anomaly_detection.commands import detect, evaluate, resume, train
from experiments.cli import run_commands

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, detect)}, default="train")
