"""A few random sequences of two classes, and small models of them."""

import numpy as np

from experiments.genomics import EXPERIMENT

CONFIG = EXPERIMENT.configure({"folds": 3, "hidden_size": 6, "embedding_size": 5, "masked": 0.5, "dropout": 0.0})
RNG = np.random.default_rng(0)
TEXTS = ["".join(RNG.choice(list("ACGTN"), RNG.integers(4, 9))) for _ in range(24)]
LABELS = np.arange(24, dtype=np.int32) % 2
