"""`python -m experiments.translation`."""

from experiments.cli import main
from experiments.translation import EXPERIMENT

main(EXPERIMENT)
