"""Where does a gene leave off and go on: does a recurrent network find the splice junctions in DNA?

    python -m experiments.genomics                               splice junctions, ten folds
    python -m experiments.genomics --data my.fasta               your own: FASTA, >NAME LABEL; GenBank; or a table
    python -m experiments.genomics --model transformer           a transformer of as many parameters
    python -m experiments.genomics predict RUN FILE              classes of new sequences; standard input without FILE
    python -m experiments.genomics classify RUN SEQUENCE ...     and which places say so; or --fasta FILE
    python -m experiments.genomics evaluate RUN --data FILE      the scores on labelled sequences of yours
    python -m experiments.genomics export RUN                    a program that runs without this code
    python -m experiments.genomics resume RUN                    go on after an interruption

Noordewier, Towell & Shavlik 1991. Ten models, one for each fold, train side by side in one program: fold k is tested by
model k, which was validated on fold k + 1 and has learned from the others. Equal sequences are in one fold,
and of your own both strands of one.

On the other strand a junction reads as none, or as one of the other kind, so the reverse complement of a sequence says
nothing about its class here; --both-strands is for data of your own whose classes are the same on both.
"""

from experiments.common.upgrade import add_fields
from experiments.genomics.commands import classify, evaluate, prepare, restore
from experiments.genomics.config import Config
from experiments.genomics.predictor import GenomicsPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__, Config, prepare, restore, commands=(evaluate, classify),
    upgrade=add_fields(Config, "label_field", "labels_file", "text_column", "label_column"),
    predictor=GenomicsPredictor, own_data="--data FILE",
)  # fmt: skip
