"""How long does a network remember?

    python -m experiments.memory                                    the adding problem over 600 steps by a GRU
    python -m experiments.memory --task copy --length 1000          also selective_copy, recall
    python -m experiments.memory --cell "lru(r_min=0.99)" --layers 2 --blocks
    python -m experiments.memory --model transformer                a transformer of as many parameters
    python -m experiments.memory --cell mingru --window 10          by truncated backpropagation, 10 steps back
    python -m experiments.memory --cell mingru --window 10 --online     the same, made exact by a trace (RTRL)
    python -m experiments.memory predict RUN FILE                   what it answers to your sequences, lines as
                                                                    0.3,1 0.5,0 0.2,1 or, of tokens, 1 4 0 9
    python -m experiments.memory examples RUN                       of test sequences
    python -m experiments.memory evaluate RUN --length 1200         in the test, at another length
    python -m experiments.memory evaluate RUN --data FILE           its scores on yours, a tab and the answer after each
    python -m experiments.memory export RUN                         a program that runs without this code
    python -m experiments.memory resume RUN                         go on after an interruption

Every update has new sequences; the test has the same ones for every seed. The value is the mean squared error of the
sum in `adding`, where a guess has 1/6; nats a step in `copy`, where no memory leaves 10 ln 8 / T; and the accuracy of
the answers in `selective_copy` and `recall`. An option of the cell that most tasks need is how long a memory to begin
with: `gru(longest=600)` starts the biases of the gates accordingly.
"""

from experiments.memory.commands import evaluate, examples, prepare, restore
from experiments.memory.config import Config
from experiments.memory.predictor import MemoryPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(__name__, Config, prepare, restore, commands=(evaluate, examples), predictor=MemoryPredictor)
