"""ConvLSTM, ConvGRU: the convolutions channel by channel, by SciPy."""

import numpy as np
import scipy.signal

from tests.cells.references.numerics import logistic


def correlate(xs, kernel):
    """Images `[B, *spatial, in]` with a kernel `[*window, in, out]`, zeros around them; windows of odd size."""
    ys = np.zeros((*xs.shape[:-1], kernel.shape[-1]))
    for row, x in enumerate(xs):
        for i in range(kernel.shape[-2]):
            for o in range(kernel.shape[-1]):
                ys[row, ..., o] += scipy.signal.correlate(x[..., i], kernel[..., i, o], mode="same", method="direct")
    return ys


def conv_lstm(params, carry, x):
    h, c = carry
    w_i, w_f, w_g, w_o = np.split(params["input"]["kernel"], 4, axis=-1)
    u_i, u_f, u_g, u_o = np.split(params["recurrent"]["kernel"], 4, axis=-1)
    b_i, b_f, b_g, b_o = np.split(params["input"]["bias"], 4)
    p_i, p_f, p_o = np.split(params["peephole"]["kernel"], 3, axis=-1) if "peephole" in params else (0, 0, 0)
    i = logistic(correlate(x, w_i) + b_i + correlate(h, u_i) + p_i * c)
    f = logistic(correlate(x, w_f) + b_f + correlate(h, u_f) + p_f * c)
    g = np.tanh(correlate(x, w_g) + b_g + correlate(h, u_g))
    c = f * c + i * g
    o = logistic(correlate(x, w_o) + b_o + correlate(h, u_o) + p_o * c)
    h = o * np.tanh(c)
    return (h, c), h


def conv_gru(params, h, x):
    w_r, w_z, w_n = np.split(params["input"]["kernel"], 3, axis=-1)
    u_r, u_z, u_n = np.split(params["recurrent"]["kernel"], 3, axis=-1)
    b_r, b_z, b_n = np.split(params["input"]["bias"], 3)
    r = logistic(correlate(x, w_r) + b_r + correlate(h, u_r))
    z = logistic(correlate(x, w_z) + b_z + correlate(h, u_z))
    n = np.tanh(correlate(x, w_n) + b_n + correlate(r * h, u_n))
    h = (1 - z) * n + z * h
    return h, h
