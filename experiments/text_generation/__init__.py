"""How well does a recurrent network predict text, one character at a time?

    python -m experiments.text_generation                        Shakespeare's works, about five minutes on two cores
    python -m experiments.text_generation --corpus my.txt        your own text, packed (gzip) or not
    python -m experiments.text_generation predict RUN FILE       how each line goes on; standard input without FILE
    python -m experiments.text_generation sample RUN --prompt "ROMEO:"      character by character as they are drawn
    python -m experiments.text_generation evaluate RUN --data FILE          nats per character of texts of yours
    python -m experiments.text_generation export RUN             a program that runs without this code
    python -m experiments.text_generation resume RUN             go on after an interruption

Graves 2013, arXiv:1308.0850; Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks". The text is
read as a stream: the carry goes from batch to batch, gradients reach back one batch (truncated backpropagation).
"""

from experiments.common.upgrade import add_fields
from experiments.text_generation.commands import evaluate, prepare, restore, sample
from experiments.text_generation.config import Config
from experiments.text_generation.inspection import pages
from experiments.text_generation.predictor import TextPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__,
    Config,
    prepare,
    restore,
    commands=(evaluate, sample),
    pages=pages,
    upgrade=add_fields(Config, "hold_out_test"),
    predictor=TextPredictor,
    own_data="--corpus FILE",
)
