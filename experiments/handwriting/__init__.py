"""How well does a recurrent network read handwriting, from the way of the pen?

    python -m experiments.handwriting                            single digits, by writers it has never seen
    python -m experiments.handwriting --task strings             3 to 7 digits side by side, by CTC
    python -m experiments.handwriting --data my.json             your own strokes (experiments/README.md: the format)
    python -m experiments.handwriting predict RUN my.inkml       what is written in your strokes
    python -m experiments.handwriting draw RUN my.json           what is read of them as they grow, in a picture
    python -m experiments.handwriting evaluate RUN --data FILE   the scores on labelled strokes of yours
    python -m experiments.handwriting export RUN                 a program that runs without this code
    python -m experiments.handwriting resume RUN                 go on after an interruption

PenDigits (Alimoglu & Alpaydin 1996); after Graves et al. 2009, "A novel connectionist system for unconstrained
handwriting recognition". `--model transformer` takes a transformer of as many parameters.
"""

from experiments.common.upgrade import drop_other_tasks
from experiments.handwriting.commands import draw, evaluate, prepare, restore
from experiments.handwriting.config import TASKS
from experiments.handwriting.predictor import HandwritingPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__,
    TASKS,
    prepare,
    restore,
    commands=(evaluate, draw),
    upgrade=drop_other_tasks(TASKS, "members"),
    predictor=HandwritingPredictor,
    own_data="--data FILE",
)
