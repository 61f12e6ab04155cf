"""Can a network follow a finite automaton, and go on with it at lengths that it was never trained at?

    python -m experiments.state_tracking                            four regular tasks by an LSTM, minutes on one core
    python -m experiments.state_tracking --task s5                  parity, even_pairs, cycle_navigation,
                                                                    modular_arithmetic, dyck, s3, s5, a5, listops
    python -m experiments.state_tracking --cell delta_product --layers 2 --blocks --curriculum 0 --label-smoothing 0.1
    python -m experiments.state_tracking --task a5 --cell delta_product --blocks --curriculum 0
    python -m experiments.state_tracking --model transformer        a transformer of as many parameters
    python -m experiments.state_tracking predict RUN FILE           what it answers to your sequences, lines as 1 0 1 1
    python -m experiments.state_tracking examples RUN               of test sequences
    python -m experiments.state_tracking evaluate RUN --data FILE   its scores on yours, lines as 1 0 1 1, a tab, 1
    python -m experiments.state_tracking export RUN                 a program that runs without this code
    python -m experiments.state_tracking resume RUN                 go on after an interruption

Trained at lengths up to 40, validated up to 80, tested up to 500. The value is the accuracy at each length of the test
that is beyond those of training, averaged over these lengths, as in Delétang et al. 2023, arXiv:2207.02098; of
`regular`, the mean over four tasks, each with a model of its own.
"""

from experiments.common.upgrade import add_fields
from experiments.state_tracking.commands import evaluate, examples, prepare, restore
from experiments.state_tracking.config import Config
from experiments.state_tracking.inspection import pages
from experiments.state_tracking.predictor import StatePredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__,
    Config,
    prepare,
    restore,
    commands=(evaluate, examples),
    pages=pages,
    upgrade=add_fields(Config, "label_smoothing"),
    predictor=StatePredictor,
)
