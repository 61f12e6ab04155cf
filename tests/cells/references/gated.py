"""Cells with gates beyond the LSTM and the GRU."""

import numpy as np

from tests.cells.references.numerics import blocks, logistic

ACTIVATIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0), "identity": lambda x: x}


def gru1(params, h, x):
    u_r, u_z, u_n = blocks(params, "recurrent", 3)
    b_r, b_z = np.split(params["recurrent"]["bias"], 2)
    r = logistic(h @ u_r + b_r)
    z = logistic(h @ u_z + b_z)
    n = np.tanh(x @ params["input"]["kernel"] + params["input"]["bias"] + (r * h) @ u_n)
    h = (1 - z) * n + z * h
    return h, h


def gru2(params, h, x):
    u_r, u_z, u_n = blocks(params, "recurrent", 3)
    r = logistic(h @ u_r)
    z = logistic(h @ u_z)
    n = np.tanh(x @ params["input"]["kernel"] + params["input"]["bias"] + (r * h) @ u_n)
    h = (1 - z) * n + z * h
    return h, h


def gru3(params, h, x):
    b_r, b_z = np.split(params["recurrent"]["bias"], 2)
    r = logistic(b_r)
    z = logistic(b_z)
    n = np.tanh(x @ params["input"]["kernel"] + params["input"]["bias"] + (r * h) @ params["recurrent"]["kernel"])
    h = (1 - z) * n + z * h
    return h, h


def mgu(params, h, x):
    w_f, w_n = blocks(params, "input", 2)
    u_f, u_n = blocks(params, "recurrent", 2)
    b_f, b_n = np.split(params["input"]["bias"], 2)
    f = logistic(x @ w_f + h @ u_f + b_f)
    n = np.tanh(x @ w_n + (f * h) @ u_n + b_n)
    h = (1 - f) * h + f * n
    return h, h


def ugrnn(params, h, x):
    w_g, w_c = blocks(params, "input", 2)
    u_g, u_c = blocks(params, "recurrent", 2)
    b_g, b_c = np.split(params["input"]["bias"], 2)
    c = np.tanh(h @ u_c + x @ w_c + b_c)
    g = logistic(h @ u_g + x @ w_g + b_g)
    h = g * h + (1 - g) * c
    return h, h


def janet(params, c, x, beta=1.0):
    w_f, w_c = blocks(params, "input", 2)
    u_f, u_c = blocks(params, "recurrent", 2)
    b_f, b_c = np.split(params["input"]["bias"], 2)
    s = c @ u_f + x @ w_f + b_f
    candidate = np.tanh(c @ u_c + x @ w_c + b_c)
    c = logistic(s) * c + (1 - logistic(s - beta)) * candidate
    return c, c


def indrnn(params, h, x, activation="relu"):
    u = np.diag(params["recurrent"]["weight"])
    h = ACTIVATIONS[activation](x @ params["input"]["kernel"] + h @ u + params["input"]["bias"])
    return h, h


def cfn(params, h, x):
    v_theta, v_eta, w = blocks(params, "input", 3)
    u_theta, u_eta = blocks(params, "recurrent", 2)
    b_theta, b_eta = np.split(params["input"]["bias"], 2)
    theta = logistic(h @ u_theta + x @ v_theta + b_theta)
    eta = logistic(h @ u_eta + x @ v_eta + b_eta)
    h = theta * np.tanh(h) + eta * np.tanh(x @ w)
    return h, h


def rhn(params, s, x):
    gates = params["input"]["kernel"].shape[1] // s.shape[-1]
    for layer, (kernel, bias) in enumerate(
        zip(params["recurrent"]["kernel"], params["recurrent"]["bias"], strict=True)
    ):
        w = blocks(params, "input", gates)
        r = np.split(kernel, gates, axis=1)
        b = np.split(bias, gates)
        first = 1.0 if layer == 0 else 0.0
        h = np.tanh(first * (x @ w[0]) + s @ r[0] + b[0])
        t = logistic(first * (x @ w[1]) + s @ r[1] + b[1])
        c = 1 - t if gates == 2 else logistic(first * (x @ w[2]) + s @ r[2] + b[2])
        s = h * t + s * c
    return s, s


def multiplicative_lstm(params, carry, x):
    h, c = carry
    w_m, w_i, w_f, w_o, w_h = (blocks(params, "input", 5)[k] for k in (0, 1, 2, 4, 3))
    u_i, u_f, u_h, u_o = blocks(params, "recurrent", 4)
    b_i, b_f, b_h, b_o = np.split(params["input"]["bias"], 4)
    m = (x @ w_m) * (h @ params["factor"]["kernel"])
    candidate = np.tanh(x @ w_h + m @ u_h + b_h)
    i = logistic(x @ w_i + m @ u_i + b_i)
    o = logistic(x @ w_o + m @ u_o + b_o)
    f = logistic(x @ w_f + m @ u_f + b_f)
    c = f * c + i * candidate
    h = np.tanh(c) * o
    return (h, c), h


def matrix(params, layer):
    """The full matrix of a layer whose kernel may have two factors."""
    kernel, reduce = params[layer]["kernel"], params[layer].get("reduce")
    return kernel if reduce is None else reduce @ kernel


def fastrnn(params, h, x, activation="tanh"):
    alpha = logistic(params["residual"]["alpha"])
    beta = logistic(params["residual"]["beta"])
    new = ACTIVATIONS[activation](
        x @ matrix(params, "input") + h @ matrix(params, "recurrent") + params["input"]["bias"]
    )
    h = alpha * new + beta * h
    return h, h


def fastgrnn(params, h, x, activation="tanh"):
    b_z, b_h = np.split(params["gate"]["bias"], 2)
    zeta = logistic(params["gate"]["zeta"])
    nu = logistic(params["gate"]["nu"])
    z = logistic(x @ matrix(params, "input") + h @ matrix(params, "recurrent") + b_z)
    new = ACTIVATIONS[activation](x @ matrix(params, "input") + h @ matrix(params, "recurrent") + b_h)
    h = (zeta * (1 - z) + nu) * new + z * h
    return h, h


def ligru(params, h, x):
    w_z, w_h = blocks(params, "input", 2)
    u_z, u_h = blocks(params, "recurrent", 2)
    b_z, b_h = np.split(params["input"]["bias"], 2)
    z = logistic(x @ w_z + h @ u_z + b_z)
    new = np.maximum(x @ w_h + h @ u_h + b_h, 0)
    h = z * h + (1 - z) * new
    return h, h


def ran(params, c, x, activation="tanh"):
    w_i, w_f, w_c = blocks(params, "input", 3)
    u_i, u_f = blocks(params, "recurrent", 2)
    b_i, b_f = np.split(params["input"]["bias"], 2)
    h = ACTIVATIONS[activation](c)
    i = logistic(h @ u_i + x @ w_i + b_i)
    f = logistic(h @ u_f + x @ w_f + b_f)
    c = i * (x @ w_c) + f * c
    return c, ACTIVATIONS[activation](c)


def star(params, h, x):
    w_k, w_z = blocks(params, "input", 2)
    b_k, b_z = np.split(params["input"]["bias"], 2)
    z = np.tanh(x @ w_z + b_z)
    k = logistic(x @ w_k + h @ params["recurrent"]["kernel"] + b_k)
    h = np.tanh((1 - k) * h + k * z)
    return h, h
