"""How well does a recurrent network understand video: signs of a hand, the next frame, what happens in words?

    python -m experiments.video                                   which of 15 signs a hand makes
    python -m experiments.video --data tracks.csv                 your own tracks: the columns track, label, x, y
    python -m experiments.video --task frames                     the next frame of two digits that bounce, by ConvLSTM
    python -m experiments.video --task frames --frame-cell lstm   the same by an LSTM that reads flat frames
    python -m experiments.video --task captions                   what moves, and where to, by an encoder-decoder
    python -m experiments.video --task captions --films DIR       your own films: DIR/LABEL/FILE, or captions.csv
    python -m experiments.video predict RUN FILE ...              signs of tracks (.csv, .ts), captions of films
    python -m experiments.video watch RUN FILE                    a film goes on by a model of frames, in a file beside
    python -m experiments.video evaluate RUN --data FILE          the scores on labelled tracks or films of yours
    python -m experiments.video export RUN                        a program that runs without this code
    python -m experiments.video resume RUN                        go on after an interruption

Signs: Dias et al. 2009, halves of each sign for training and test by the seed; equal tracks stay on one side. ConvLSTM:
Shi et al. 2015, arXiv:1506.04214. Digits are real, by people who wrote none of the training part; motion is synthetic.
"""

from experiments.video.commands import evaluate, prepare, restore, watch
from experiments.video.config import CONFIGS, upgrade
from experiments.video.predictor import video_predictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__,
    CONFIGS,
    prepare,
    restore,
    commands=(evaluate, watch),
    upgrade=upgrade,
    predictor=video_predictor,
    own_data="--data FILE",
)
