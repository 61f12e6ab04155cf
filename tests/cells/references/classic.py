"""Elman, IRNN, LSTM, GRU."""

import numpy as np

from references.numerics import blocks, logistic


def elman(params, h, x):
    h = np.tanh(x @ params["input"]["kernel"] + params["input"]["bias"] + h @ params["recurrent"]["kernel"])
    return h, h


def irnn(params, h, x):
    h = np.maximum(0, x @ params["input"]["kernel"] + params["input"]["bias"] + h @ params["recurrent"]["kernel"])
    return h, h


def lstm(params, carry, x):
    h, c = carry
    w_i, w_f, w_g, w_o = blocks(params, "input", 4)
    u_i, u_f, u_g, u_o = blocks(params, "recurrent", 4)
    b_i, b_f, b_g, b_o = np.split(params["input"]["bias"], 4)
    i = logistic(x @ w_i + b_i + h @ u_i)
    f = logistic(x @ w_f + b_f + h @ u_f)
    g = np.tanh(x @ w_g + b_g + h @ u_g)
    o = logistic(x @ w_o + b_o + h @ u_o)
    c = f * c + i * g
    h = o * np.tanh(c)
    return (h, c), h


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
