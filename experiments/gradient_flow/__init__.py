"""Does the gradient reach back? The norm of dL/dh at every step, for a tanh network, LSTM, GRU and LRU.

    python -m experiments.gradient_flow                            all four, about two minutes on two cores
    python -m experiments.gradient_flow --cells gru,mingru,slstm   others
    python -m experiments.gradient_flow train --cell gru           one
    python -m experiments.gradient_flow draw RUN RUN --out F.png   several runs side by side in one figure
    python -m experiments.gradient_flow predict RUN FILE.ts        the sums of sequences of yours, numbers and marks
    python -m experiments.gradient_flow evaluate RUN --data FILE   the squared error on them
    python -m experiments.gradient_flow export RUN                 a program that runs without this code
    python -m experiments.gradient_flow resume RUN                 go on after an interruption

Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063. The task is the adding problem, whose
loss stands at the last step alone: what arrives at the first steps is what the network can learn of them. Each run is
diagnosed (`--diagnose` of any experiment) at its beginning and at every evaluation.
"""

from experiments.gradient_flow.commands import compare, draw, evaluate, prepare, restore, train
from experiments.gradient_flow.config import Config
from experiments.gradient_flow.predictor import GradientFlowPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__,
    Config,
    prepare,
    restore,
    commands=(compare, train, evaluate, draw),
    default="compare",
    predictor=GradientFlowPredictor,
)
