"""SRU, QRNN, antisymmetric, oscillatory, orthogonal and clockwork networks, LEM, echo states, sLSTM."""

import numpy as np
import scipy.linalg

from tests.cells.references.numerics import blocks, logistic


def sru(params, c, x, highway_bias=0.0):
    alpha = np.sqrt(1 + 2 * np.exp(highway_bias))
    square = x.shape[-1] == c.shape[-1]
    w, w_f, w_r, *w_h = blocks(params, "input", 3 if square else 4)
    b_f, b_r = np.split(params["input"]["bias"], 2)
    v_f, v_r = np.split(params["recurrent"]["weight"], 2)
    f = logistic(x @ w_f + v_f * c + b_f)
    r = logistic(x @ w_r + v_r * c + b_r)
    c = f * c + (1 - f) * (x @ w)
    y = r * c + (1 - r) * (alpha * x if square else x @ w_h[0])
    return c, y


def qrnn(params, carry, x):
    c, pending = carry
    taps = blocks(params, "input", pending.shape[1] + 1)
    z, f, o = np.split(params["input"]["bias"] + pending[:, 0] + x @ taps[0], 3, axis=-1)
    following = np.concatenate([pending[:, 1:], np.zeros_like(pending[:, :1])], axis=1)
    for k, tap in enumerate(taps[1:]):
        following[:, k] += x @ tap
    c = logistic(f) * c + (1 - logistic(f)) * np.tanh(z)
    return (c, following), logistic(o) * c


def qrnn_sequence(params, xs, window, pooling):
    """The outputs over a whole sequence, with the convolution as the paper has it."""
    gates = {"f": 2, "fo": 3, "ifo": 4}[pooling]
    taps = blocks(params, "input", window)
    h = c = np.zeros((xs.shape[1], taps[0].shape[1] // gates))
    ys = []
    for t in range(len(xs)):
        u = params["input"]["bias"] + sum(xs[t - k] @ taps[k] for k in range(window) if t >= k)
        z, f, *more = np.split(u, gates, axis=-1)
        z, f = np.tanh(z), logistic(f)
        if pooling == "f":
            h = f * h + (1 - f) * z
            ys.append(h)
        else:
            i = 1 - f if pooling == "fo" else logistic(more[1])
            c = f * c + i * z
            ys.append(logistic(more[0]) * c)
    return np.stack(ys)


def skew(params, size):
    """A with the numbers of `params` above its diagonal, row by row, and their negatives below."""
    numbers = iter(params["recurrent"]["skew"])
    matrix = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1, size):
            matrix[i, j] = next(numbers)
            matrix[j, i] = -matrix[i, j]
    return matrix


def antisymmetric(params, h, x, epsilon=0.1, gamma=0.1):
    m = skew(params, h.shape[-1]) - gamma * np.eye(h.shape[-1])
    h = h + epsilon * np.tanh(h @ m + x @ params["input"]["kernel"] + params["input"]["bias"])
    return h, h


def gated_antisymmetric(params, h, x, epsilon=0.1, gamma=0.1):
    m = skew(params, h.shape[-1]) - gamma * np.eye(h.shape[-1])
    v_z, v_h = blocks(params, "input", 2)
    b_z, b_h = np.split(params["input"]["bias"], 2)
    z = logistic(h @ m + x @ v_z + b_z)
    h = h + epsilon * z * np.tanh(h @ m + x @ v_h + b_h)
    return h, h


def cornn(params, carry, x, dt=0.042, gamma=2.7, epsilon=4.7):
    y, z = carry
    w_y, w_z = np.split(params["recurrent"]["kernel"], 2)
    force = np.tanh(y @ w_y + z @ w_z + x @ params["input"]["kernel"] + params["input"]["bias"])
    z = z + dt * force - dt * gamma * y - dt * epsilon * z
    y = y + dt * z
    return (y, z), y


def lem(params, carry, x, dt=1.0):
    y, z = carry
    v_1, v_2, v_z, v_y = blocks(params, "input", 4)
    w_1, w_2, w_z, w_y = blocks(params, "recurrent", 4)
    b_1, b_2, b_z, b_y = np.split(params["input"]["bias"], 4)
    step = dt * logistic(y @ w_1 + x @ v_1 + b_1)
    step_bar = dt * logistic(y @ w_2 + x @ v_2 + b_2)
    z = (1 - step) * z + step * np.tanh(y @ w_z + x @ v_z + b_z)
    y = (1 - step_bar) * y + step_bar * np.tanh(z @ w_y + x @ v_y + b_y)
    return (y, z), y


def modrelu(u, b):
    return np.sign(u) * np.maximum(np.abs(u) + b, 0)


def exprnn(params, h, x):
    q = scipy.linalg.expm(skew(params, h.shape[-1]))
    h = modrelu(x @ params["input"]["kernel"] + np.stack([q @ row for row in h]), params["modrelu"]["bias"])
    return h, h


def cayley(params, h, x, negatives=2):
    one, a = np.eye(h.shape[-1]), skew(params, h.shape[-1])
    signs = np.ones(h.shape[-1])
    signs[h.shape[-1] - negatives :] = -1
    q = np.linalg.inv(one + a) @ (one - a) @ np.diag(signs)
    h = modrelu(x @ params["input"]["kernel"] + np.stack([q @ row for row in h]), params["modrelu"]["bias"])
    return h, h


def clockwork(params, carry, x, modules=((0,), (1,), (2,), (3,)), periods=(1, 2, 4, 8)):
    """`modules` lists the units of each module."""
    h, time = carry
    new, kernel, bias = h.copy(), params["input"]["kernel"], params["input"]["bias"]
    for row, t in enumerate(np.round(time)):
        for g, units in enumerate(modules):
            if t % periods[g] == 0:
                for unit in units:
                    slower = [other for module in modules[g:] for other in module]
                    u = x[row] @ kernel[:, unit] + bias[unit]
                    new[row, unit] = np.tanh(u + h[row, slower] @ params["recurrent"]["kernel"][slower, unit])
    return (new, (np.round(time) + 1) % np.lcm.reduce(periods)), new


def echo_state(params, h, x, leak=1.0):
    h = (1 - leak) * h + leak * np.tanh(x @ params["input"]["kernel"] + h @ params["recurrent"]["kernel"])
    return h, h


def slstm(params, carry, x, forget_gate="sigmoid"):
    """The equations without a stabiliser; only what the carry stands for needs its m."""
    h, c, n, m = carry
    c, n = c * np.exp(m), n * np.exp(m)
    kernels = params["recurrent"]["kernel"]
    per_head = [part @ kernel for part, kernel in zip(np.split(h, len(kernels), axis=-1), kernels, strict=True)]
    r_i, r_f, r_g, r_o = (
        np.concatenate(gate, axis=-1) for gate in zip(*[np.split(r, 4, axis=-1) for r in per_head], strict=True)
    )
    w_i, w_f, w_g, w_o = blocks(params, "input", 4)
    b_i, b_f, b_g, b_o = np.split(params["input"]["bias"], 4)
    i = np.exp(x @ w_i + b_i + r_i)
    f = x @ w_f + b_f + r_f
    f = logistic(f) if forget_gate == "sigmoid" else np.exp(f)
    o = logistic(x @ w_o + b_o + r_o)
    c = f * c + i * np.tanh(x @ w_g + b_g + r_g)
    m = np.where(n == 0, np.log(i), np.maximum(np.log(f) + m, np.log(i)))
    n = f * n + i
    h = o * c / n
    return (h, c * np.exp(-m), n * np.exp(-m), m), h
