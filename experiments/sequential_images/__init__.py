"""How far back does a recurrent network remember: pictures read one pixel after the other?

    python -m experiments.sequential_images                          MNIST, 784 steps: for a GPU
    python -m experiments.sequential_images --permuted               the pixels in one random order
    python -m experiments.sequential_images --data fashion_mnist     or a folder with IDX files, or with pictures
    python -m experiments.sequential_images --pixels 28              a row a step: minutes on a CPU
    python -m experiments.sequential_images predict RUN FILE ...     classes of your own pictures, or those in a folder
    python -m experiments.sequential_images evaluate RUN --data DIR  the scores on DIR/CLASS/FILE, or an IDX file
    python -m experiments.sequential_images export RUN               a program that runs without this code
    python -m experiments.sequential_images resume RUN               go on after an interruption

Le, Jaitly & Hinton 2015, arXiv:1504.00941. `--data /usr/share/datasets/fashion-mnist` is where Debian's package
dataset-fashion-mnist puts the files. `--model transformer` takes a transformer of as many parameters.
"""

from experiments.common.upgrade import add_fields
from experiments.sequential_images.commands import evaluate, prepare, restore
from experiments.sequential_images.config import Config
from experiments.sequential_images.predictor import SequentialImagesPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__,
    Config,
    prepare,
    restore,
    commands=(evaluate,),
    upgrade=add_fields(Config, "side", "skip_unreadable"),
    predictor=SequentialImagesPredictor,
    own_data="--data FOLDER",
)
