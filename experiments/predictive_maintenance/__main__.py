"""`python -m experiments.predictive_maintenance`."""

from experiments.cli import main
from experiments.predictive_maintenance import EXPERIMENT

main(EXPERIMENT)
