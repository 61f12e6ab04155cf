"""`python -m experiments.forecasting`."""

from experiments.cli import main
from experiments.forecasting import EXPERIMENT

main(EXPERIMENT)
