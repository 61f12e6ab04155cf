"""`python -m experiments.anomaly_detection`."""

from experiments.anomaly_detection import EXPERIMENT
from experiments.cli import main

main(EXPERIMENT)
