"""UnICORNN, MinimalRNN, bistable and twin-gated cells, MC-LSTM, IndyLSTM, the NAS cell, SCRN, M²RNN."""

import numpy as np

from tests.cells.references.numerics import blocks, logistic


def unicornn(params, carry, x, dt=0.19, alpha=30.65):
    y, z = carry
    step = dt * (0.5 * np.tanh(params["control"]["weight"] / 2) + 0.5)
    force = np.tanh(params["recurrent"]["weight"] * y + x @ params["input"]["kernel"] + params["input"]["bias"])
    z = z - step * (force + alpha * y)
    y = y + step * z
    return (y, z), y


def minimal_rnn(params, h, x):
    v = np.tanh(x @ params["input"]["kernel"] + params["input"]["bias"])
    u = logistic(h @ params["recurrent"]["kernel"] + v @ params["latent"]["kernel"] + params["latent"]["bias"])
    h = u * h + (1 - u) * v
    return h, h


def bistable(params, h, x, seen_by_a, seen_by_c):
    w_a, w_c, w = blocks(params, "input", 3)
    b_a, b_c = np.split(params["input"]["bias"], 2)
    a = 1 + np.tanh(x @ w_a + b_a + seen_by_a)
    c = logistic(x @ w_c + b_c + seen_by_c)
    h = c * h + (1 - c) * np.tanh(x @ w + a * h)
    return h, h


def brc(params, h, x):
    u_a, u_c = np.split(params["recurrent"]["weight"], 2)
    return bistable(params, h, x, u_a * h, u_c * h)


def nbrc(params, h, x):
    u_a, u_c = blocks(params, "recurrent", 2)
    return bistable(params, h, x, h @ u_a, h @ u_c)


def softmax(a):
    powers = np.exp(a - a.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def mc_lstm(params, c, x, mass_size=1):
    size = c.shape[-1]
    cells, leaving = np.empty_like(c), np.empty_like(c)
    for row in range(len(c)):
        mass, auxiliary = x[row, :mass_size], x[row, mass_size:]
        share = c[row] / np.abs(c[row]).sum() if c[row].any() else c[row]
        gates = auxiliary @ params["input"]["kernel"] + share @ params["recurrent"]["kernel"] + params["input"]["bias"]
        i = softmax(gates[: mass_size * size].reshape(mass_size, size))
        r = softmax(gates[mass_size * size : -size].reshape(size, size))
        o = logistic(gates[-size:])
        m = r.T @ c[row] + i.T @ mass
        cells[row], leaving[row] = (1 - o) * m, o * m
    return cells, leaving


def m2rnn(params, carry, x):
    _, heads, key_size, value_size = carry.shape
    sizes = np.cumsum([heads * key_size, heads * key_size, heads * value_size])
    q, k, v, pace = np.split(x @ params["input"]["kernel"], sizes, axis=-1)
    after, y = np.empty_like(carry), np.empty((len(x), heads * value_size))
    for row in range(len(x)):
        for head in range(heads):
            keys = slice(head * key_size, (head + 1) * key_size)
            values = slice(head * value_size, (head + 1) * value_size)
            h, w = carry[row, head], params["recurrent"]["kernel"][head]
            softplus = np.log1p(np.exp(pace[row, head] + params["forget"]["bias"][head]))
            f = np.exp(-np.exp(params["forget"]["log_rate"][head]) * softplus)
            h = f * h + (1 - f) * np.tanh(h @ w + np.outer(k[row, keys], v[row, values]))
            y[row, values] = h.T @ q[row, keys] + params["skip"]["weight"][values] * v[row, values]
            after[row, head] = h
    return after, y


def twin_gated(h, add, subtract, new, seen):
    h = logistic(add + seen) * new + logistic(subtract - seen) * h
    return h, h


def atr(params, h, x):
    p = x @ params["input"]["kernel"]
    return twin_gated(h, p, p, p, h @ params["recurrent"]["kernel"])


def lrn(params, h, x):
    w_p, w_q, w_r = blocks(params, "input", 3)
    return twin_gated(h, x @ w_p, x @ w_q, x @ w_r, h)


def nas(params, carry, x):
    h, c = carry
    a = [x @ w for w in blocks(params, "input", 8)]
    b = [h @ u for u in blocks(params, "recurrent", 8)]
    l0 = np.tanh(logistic(a[0] + b[0]) * np.maximum(a[1] + b[1], 0))
    l1 = np.tanh(logistic(a[2] + b[2]) + np.maximum(a[3] * b[3], 0))
    l2 = np.tanh(np.tanh(a[4] + b[4]) * logistic(a[5] + b[5]))
    l3 = logistic(np.tanh(a[6] + b[6]) + logistic(a[7] + b[7]))
    c = np.tanh(l0 + c) * l1
    h = np.tanh(c * np.tanh(l2 + l3))
    return (h, c), h


def indylstm(params, carry, x):
    h, c = carry
    w_i, w_f, w_g, w_o = blocks(params, "input", 4)
    u_i, u_f, u_g, u_o = np.split(params["recurrent"]["weight"], 4)
    b_i, b_f, b_g, b_o = np.split(params["input"]["bias"], 4)
    i = logistic(x @ w_i + b_i + u_i * h)
    f = logistic(x @ w_f + b_f + u_f * h)
    g = np.tanh(x @ w_g + b_g + u_g * h)
    o = logistic(x @ w_o + b_o + u_o * h)
    c = f * c + i * g
    h = o * np.tanh(c)
    return (h, c), h


def scrn(params, carry, x, alpha=0.95):
    h, s = carry
    a, b = np.split(params["input"]["kernel"], [h.shape[-1]], axis=1)
    s = (1 - alpha) * (x @ b) + alpha * s
    h = logistic(s @ params["context"]["kernel"] + x @ a + h @ params["recurrent"]["kernel"])
    return (h, s), np.concatenate([h, s], axis=-1)
