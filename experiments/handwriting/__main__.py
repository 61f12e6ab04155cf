"""`python -m experiments.handwriting`."""

from experiments.cli import main
from experiments.handwriting import EXPERIMENT

main(EXPERIMENT)
