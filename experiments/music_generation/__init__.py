"""How well does a recurrent network know what the next chord is?

    python -m experiments.music_generation                        chorales of Bach, about ten minutes on two cores
    python -m experiments.music_generation --data nottingham      folk tunes; also musedata, pianomidi
    python -m experiments.music_generation --data FOLDER          your own MIDI files
    python -m experiments.music_generation --model transformer    a transformer of as many parameters
    python -m experiments.music_generation --output nade          the pitches of a step jointly
    python -m experiments.music_generation predict RUN FILE.mid   the chords that follow each piece
    python -m experiments.music_generation generate RUN --primer FILE.mid --steps 200       as a MIDI file, to listen to
    python -m experiments.music_generation evaluate RUN --data FILE.mid      nats per step of pieces or folders of yours
    python -m experiments.music_generation export RUN             a program that runs without this code
    python -m experiments.music_generation resume RUN             go on after an interruption

Boulanger-Lewandowski et al. 2012, arXiv:1206.6392: 88 pitches a step, each an independent bit given all steps before,
or, with `--output nade`, each given the lower ones of its step too: what sounds together is then learned as well.
The value is the negative log likelihood of a step, summed over the pitches, its mean over all steps of all test pieces
but the first of each: Chung et al. 2014 and Bai et al. 2018 predict step t + 1 from step t on, too. The measure is the
same for both outputs, and exact, but a joint output is a larger class of models: it is to be held against RNN-NADE.
"""

from experiments.common.upgrade import add_fields
from experiments.music_generation.commands import evaluate, generate, prepare, restore
from experiments.music_generation.config import Config
from experiments.music_generation.predictor import MusicPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__, Config, prepare, restore, commands=(evaluate, generate),
    upgrade=add_fields(Config, "skip_unreadable", "output", "nade_size"), predictor=MusicPredictor,
    own_data="--data FOLDER",
)  # fmt: skip
