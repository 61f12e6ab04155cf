"""`python -m experiments.genomics`."""

from experiments.cli import main
from experiments.genomics import EXPERIMENT

main(EXPERIMENT)
