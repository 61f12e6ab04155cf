"""CfC, LTC, GRU-D, the phased LSTM, and cells of other files with time steps: `elapsed` is a number, or `[B, 1]`."""

import numpy as np

from tests.cells.references import recurrent
from tests.cells.references.lstm import variant
from tests.cells.references.numerics import blocks, logistic

peephole_lstm = variant(peepholes=True)


def cfc(params, h, x, elapsed=1.0):
    a = x @ params["input"]["kernel"] + h @ params["recurrent"]["kernel"] + params["input"]["bias"]
    a = 1.7159 * np.tanh(2 * a / 3)
    for name in sorted(params.get("backbone", ())):
        a = 1.7159 * np.tanh(2 / 3 * (a @ params["backbone"][name]["kernel"] + params["backbone"][name]["bias"]))
    w_f, w_g, w_s = blocks(params, "output", 3)
    b_f, b_g, b_s = np.split(params["output"]["bias"], 3)
    gate = logistic(-(a @ w_f + b_f) * elapsed)
    h = gate * np.tanh(a @ w_g + b_g) + (1 - gate) * np.tanh(a @ w_s + b_s)
    return h, h


def ltc(params, h, x, elapsed=1.0, steps=6):
    p, delta = params["recurrent"], elapsed / steps
    tau = np.exp(p["log_tau"])
    for _ in range(steps):
        f = logistic(x @ params["input"]["kernel"] + h @ p["kernel"] + params["input"]["bias"])
        h = (h + delta * f * p["target"]) / (1 + delta * (1 / tau + f))
    return h, h


def gru_d(params, carry, x, elapsed=1.0):
    h, deviation, unseen = carry
    value, m, mean, p = x["value"], x["mask"], params["input"]["mean"], params["decay"]
    delta = elapsed + unseen
    gamma = np.exp(-np.maximum(0, p["input_weight"] * delta + p["input_bias"]))
    gamma_h = np.exp(-np.maximum(0, delta @ p["hidden_kernel"] + p["hidden_bias"]))
    last = mean + deviation
    x = m * value + (1 - m) * (gamma * last + (1 - gamma) * mean)
    h = gamma_h * h
    w_r, w_z, w_n = blocks(params, "input", 3)
    v_r, v_z, v_n = blocks(params, "mask", 3)
    u_r, u_z, u_n = blocks(params, "recurrent", 3)
    b_r, b_z, b_n = np.split(params["input"]["bias"], 3)
    r = logistic(x @ w_r + m @ v_r + b_r + h @ u_r)
    z = logistic(x @ w_z + m @ v_z + b_z + h @ u_z)
    n = np.tanh(x @ w_n + m @ v_n + b_n + (r * h) @ u_n)
    h = (1 - z) * n + z * h
    return (h, m * value + (1 - m) * last - mean, (1 - m) * delta), h


def phased_lstm(params, carry, x, elapsed=1.0, leak=0.001):
    h, c, time = carry
    time = time + (elapsed[:, 0] if isinstance(elapsed, np.ndarray) else elapsed)
    p = params["clock"]
    period, ratio = np.exp(p["log_period"]), logistic(p["ratio_logit"])
    phase = np.mod(time[:, None] - p["shift"], period) / period
    k = np.where(phase < ratio, 2 - 2 * phase / ratio, leak * phase)
    k = np.where(phase < ratio / 2, 2 * phase / ratio, k)
    (new_h, new_c), _ = peephole_lstm(params, (h, c), x)
    h, c = k * new_h + (1 - k) * h, k * new_c + (1 - k) * c
    return (h, c, time), h


def timed_cornn(params, carry, x, elapsed):
    return recurrent.cornn(params, carry, x, dt=0.042 * elapsed)


def timed_lem(params, carry, x, elapsed):
    return recurrent.lem(params, carry, x, dt=elapsed)
