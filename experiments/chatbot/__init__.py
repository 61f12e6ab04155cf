"""How well does a recurrent network find the reply to what was said, or write it?

    python -m experiments.chatbot                                rank replies, ChatterBot corpus, two minutes, two cores
    python -m experiments.chatbot --task writing --tokens word   write replies; flags that suit it: results/chatbot.json
    python -m experiments.chatbot --data my.tsv                  your own: a conversation a line, tabs between turns
    python -m experiments.chatbot --model transformer            a transformer of as many parameters
    python -m experiments.chatbot chat RUN                       talk with it; lines from a pipe are answered, too
    python -m experiments.chatbot predict RUN FILE               a reply to each line; standard input without FILE
    python -m experiments.chatbot evaluate RUN --data FILE       the scores on conversations of yours
    python -m experiments.chatbot export RUN                     a program that runs without this code
    python -m experiments.chatbot resume RUN                     go on after an interruption

Ranking: a dual encoder (Lowe et al. 2015, arXiv:1506.08909; Henderson et al. 2017, arXiv:1705.00652) finds the true
reply among ten. Writing: an encoder-decoder with attention, with `--ngram 3` beside 3-grams of the training replies. No
turn of the test is among the training turns.
"""

from experiments.chatbot.commands import chat, evaluate, prepare, restore
from experiments.chatbot.config import TASKS
from experiments.chatbot.predictor import chatbot_predictor
from experiments.common.upgrade import drop_other_tasks
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__, TASKS, prepare, restore, commands=(evaluate, chat),
    upgrade=drop_other_tasks(TASKS, "ngram"), predictor=chatbot_predictor, own_data="--data FILE",
)  # fmt: skip
