"""`python -m experiments.chatbot`."""

from experiments.chatbot import EXPERIMENT
from experiments.cli import main

main(EXPERIMENT)
