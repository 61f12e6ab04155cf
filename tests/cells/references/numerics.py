"""What the references share."""

import numpy as np


def logistic(x):
    return 1 / (1 + np.exp(-x))


def blocks(params, layer, count):
    """The kernels of `layer` one by one: the code's layout puts them side by side."""
    return np.split(params[layer]["kernel"], count, axis=1)
