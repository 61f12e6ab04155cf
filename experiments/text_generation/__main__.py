"""`python -m experiments.text_generation`."""

from experiments.cli import main
from experiments.text_generation import EXPERIMENT

main(EXPERIMENT)
