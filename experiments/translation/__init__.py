"""How well does a recurrent network with attention translate captions from English to German?

    python -m experiments.translation                            Multi30k, about an hour on two cores
    python -m experiments.translation --corpus pairs.tsv         your own pairs, a tab between sentence and translation
    python -m experiments.translation --corpus a.en --target-corpus a.de     in two files, line by line
    python -m experiments.translation --model transformer        a transformer of as many parameters
    python -m experiments.translation predict RUN FILE           of each line; of standard input without FILE
    python -m experiments.translation translate RUN "Two dogs play in the snow." --figure look.png
    python -m experiments.translation evaluate RUN --data FILE   BLEU and chrF on pairs of yours, in one file or in two
    python -m experiments.translation export RUN                 a program that runs without this code
    python -m experiments.translation resume RUN                 go on after an interruption

Bahdanau et al. 2014, arXiv:1409.0473; Luong et al. 2015, arXiv:1508.04025. Both languages share subwords, in lower case
unless --cased.
The model is chosen by BLEU of greedy search on the validation part; the test part is translated once, by beam search.
"""

from experiments.common.upgrade import add_fields
from experiments.translation.commands import evaluate, prepare, restore, translate
from experiments.translation.config import Config
from experiments.translation.predictor import TranslationPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__, Config, prepare, restore, commands=(evaluate, translate),
    upgrade=add_fields(Config, "target_corpus", "cased"), predictor=TranslationPredictor, own_data="--corpus FILE",
)  # fmt: skip
