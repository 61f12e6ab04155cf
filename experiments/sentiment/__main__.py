"""`python -m experiments.sentiment`."""

from experiments.cli import main
from experiments.sentiment import EXPERIMENT

main(EXPERIMENT)
