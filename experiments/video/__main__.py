"""`python -m experiments.video`."""

from experiments.cli import main
from experiments.video import EXPERIMENT

main(EXPERIMENT)
