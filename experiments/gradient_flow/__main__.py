"""`python -m experiments.gradient_flow`."""

from experiments.cli import main
from experiments.gradient_flow import EXPERIMENT

main(EXPERIMENT)
