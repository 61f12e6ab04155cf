"""How well does a recurrent network tell whether a sentence praises or blames?

    python -m experiments.sentiment                              film reviews, about three minutes on two cores
    python -m experiments.sentiment --data my.csv                your own texts: a table of texts and labels
    python -m experiments.sentiment --model transformer          a transformer of as many parameters
    python -m experiments.sentiment classify RUN "a fine film"   or texts from standard input, one a line
    python -m experiments.sentiment evaluate RUN
    python -m experiments.sentiment resume RUN                   go on after an interruption

Stanford Sentiment Treebank, whole sentences, two classes (Socher et al. 2013), without pretrained vectors. `classify`
says which words drive the answer: by how much its log-odds fall when a word is made an unknown one.
"""

from experiments.common.upgrade import add_fields
from experiments.sentiment.commands import classify, evaluate, prepare, restore
from experiments.sentiment.config import Config
from experiments.sentiment.inspection import pages
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__, Config, prepare, restore, commands=(evaluate, classify), pages=pages,
    upgrade=add_fields(Config, "text_column", "label_column"),
)  # fmt: skip
