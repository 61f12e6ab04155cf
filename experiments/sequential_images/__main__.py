"""`python -m experiments.sequential_images`."""

from experiments.cli import main
from experiments.sequential_images import EXPERIMENT

main(EXPERIMENT)
