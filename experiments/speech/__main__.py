"""`python -m experiments.speech`."""

from experiments.cli import main
from experiments.speech import EXPERIMENT

main(EXPERIMENT)
