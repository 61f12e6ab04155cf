"""Elman, IRNN, GRU."""

import numpy as np

from tests.cells.references.numerics import blocks, logistic


def elman(params, h, x):
    h = np.tanh(x @ params["input"]["kernel"] + params["input"]["bias"] + h @ params["recurrent"]["kernel"])
    return h, h


def irnn(params, h, x):
    h = np.maximum(0, x @ params["input"]["kernel"] + params["input"]["bias"] + h @ params["recurrent"]["kernel"])
    return h, h


def gru(params, h, x):
    w_r, w_z, w_n = blocks(params, "input", 3)
    u_r, u_z, u_n = blocks(params, "recurrent", 3)
    b_r, b_z, b_n = np.split(params["input"]["bias"], 3)
    r = logistic(x @ w_r + b_r + h @ u_r)
    z = logistic(x @ w_z + b_z + h @ u_z)
    n = np.tanh(x @ w_n + b_n + r * (h @ u_n + params["recurrent"]["bias"]))
    h = (1 - z) * n + z * h
    return h, h


def gru_reset_before(params, h, x):
    w_r, w_z, w_n = blocks(params, "input", 3)
    u_r, u_z, u_n = blocks(params, "recurrent", 3)
    b_r, b_z, b_n = np.split(params["input"]["bias"], 3)
    r = logistic(x @ w_r + b_r + h @ u_r)
    z = logistic(x @ w_z + b_z + h @ u_z)
    n = np.tanh(x @ w_n + b_n + (r * h) @ u_n)
    h = (1 - z) * n + z * h
    return h, h
