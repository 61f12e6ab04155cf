"""Run by `python -m experiments.forecasting`."""

from experiments.cli import run_commands
from experiments.forecasting.commands import evaluate, forecast, resume, train

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, forecast)}, default="train")
