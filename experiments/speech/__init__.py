"""How well does a recurrent network hear: digits, strings of digits, and who speaks?

    python -m experiments.speech                                 single digits
    python -m experiments.speech --task strings                  3 to 7 digits in a row, by CTC
    python -m experiments.speech --task vowels                   which of nine men speaks
    python -m experiments.speech --task strings --data FOLDER    your own files of sound and labels.csv
    python -m experiments.speech predict RUN FILE.wav ...        what is said in files, or in those of a folder
    python -m experiments.speech stream RUN FILE.wav             each word as soon as it is sure
    python -m experiments.speech evaluate RUN --data FOLDER      the scores on recordings of yours, with labels.csv
    python -m experiments.speech export RUN                      a program that runs without this code
    python -m experiments.speech resume RUN                      go on after an interruption

Graves, Mohamed & Hinton 2013, arXiv:1303.5778. With --no-bidirectional the model of strings also hears a stream word by
word. `--model transformer` takes a transformer of as many parameters.
"""

from experiments.common.upgrade import drop_other_tasks
from experiments.speech.commands import evaluate, prepare, restore, stream
from experiments.speech.config import TASKS
from experiments.speech.predictor import SpeechPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__,
    TASKS,
    prepare,
    restore,
    commands=(evaluate, stream),
    upgrade=drop_other_tasks(TASKS, "channel", "skip_unreadable", "members"),
    predictor=SpeechPredictor,
    own_data="--task strings --data FOLDER",
)
