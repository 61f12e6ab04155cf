"""`python -m experiments.music_generation`."""

from experiments.cli import main
from experiments.music_generation import EXPERIMENT

main(EXPERIMENT)
