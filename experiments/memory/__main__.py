"""`python -m experiments.memory`."""

from experiments.cli import main
from experiments.memory import EXPERIMENT

main(EXPERIMENT)
