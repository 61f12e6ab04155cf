"""How well does a recurrent network tell whether a sentence praises or blames?

    python -m experiments.sentiment                              film reviews, about three minutes on two cores
    python -m experiments.sentiment --data my.csv                your own texts: a table of texts and labels
    python -m experiments.sentiment --model transformer          a transformer of as many parameters
    python -m experiments.sentiment predict RUN FILE             classes of new texts, of standard input without FILE
    python -m experiments.sentiment classify RUN "a fine film"   and which words say so
    python -m experiments.sentiment evaluate RUN --data FILE     the scores on labelled texts of yours
    python -m experiments.sentiment export RUN                   a program that runs without this code
    python -m experiments.sentiment resume RUN                   go on after an interruption

Stanford Sentiment Treebank, whole sentences, two classes (Socher et al. 2013), without pretrained vectors. `--start`
lets the scores past the layers begin with log-count ratios, and `--pair-count` has pairs of words read, too: what NBSVM
goes by, which the test texts are scored with beside it (Wang & Manning 2012). `classify` says which words drive the
answer: by how much its log-odds fall when a word is made an unknown one.
"""

from experiments.common.upgrade import add_fields
from experiments.sentiment.commands import classify, evaluate, prepare, restore
from experiments.sentiment.config import Config
from experiments.sentiment.inspection import pages
from experiments.sentiment.predictor import SentimentPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__, Config, prepare, restore, commands=(evaluate, classify), pages=pages,
    upgrade=add_fields(Config, "text_column", "label_column", "pair_count", "start"), predictor=SentimentPredictor,
    own_data="--data FILE",
)  # fmt: skip
