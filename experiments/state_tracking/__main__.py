"""`python -m experiments.state_tracking`."""

from experiments.cli import main
from experiments.state_tracking import EXPERIMENT

main(EXPERIMENT)
