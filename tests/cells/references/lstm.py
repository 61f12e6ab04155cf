"""The LSTM with its options, each gate on its own; `variant` makes the reference for any choice of them."""

import numpy as np

from tests.cells.references.numerics import logistic


def variant(coupled=False, without=(), peepholes=False, layer_norm=False, projected=False):
    gates = [g for g in "ifgo" if not (g == "f" and coupled) and f"{NAMES.get(g)}_gate" not in without]

    def step(params, carry, x):
        h, c = carry
        input_kernels = dict(zip(gates, np.split(params["input"]["kernel"], len(gates), axis=1), strict=True))
        hidden_kernels = dict(zip(gates, np.split(params["recurrent"]["kernel"], len(gates), axis=1), strict=True))
        biases = dict(zip(gates, np.split(params["input"]["bias"], len(gates)), strict=True))
        from_x = np.concatenate([x @ input_kernels[g] for g in gates], axis=-1)
        from_h = np.concatenate([h @ hidden_kernels[g] for g in gates], axis=-1)
        if layer_norm:
            from_x = normalise(from_x) * params["norm"]["input"]
            from_h = normalise(from_h) * params["norm"]["recurrent"]
        inputs = dict(zip(gates, np.split(from_x + from_h, len(gates), axis=-1), strict=True))
        inputs = {g: inputs[g] + biases[g] for g in gates}
        p = {g: params["peephole"][g] if peepholes else 0.0 for g in gates if g != "g"}
        i = logistic(inputs["i"] + p["i"] * c) if "i" in gates else 1.0
        f = 1 - i if coupled else logistic(inputs["f"] + p["f"] * c) if "f" in gates else 1.0
        g = inputs["g"] if "input_activation" in without else np.tanh(inputs["g"])
        c = f * c + i * g
        o = logistic(inputs["o"] + p["o"] * c) if "o" in gates else 1.0
        read = normalise(c) * params["norm"]["cell"] + params["norm"]["cell_bias"] if layer_norm else c
        h = o * (read if "output_activation" in without else np.tanh(read))
        if projected:
            h = h @ params["projection"]["kernel"]
        return (h, c), h

    return step


def full_gate_lstm(params, carry, x):
    h, c, gates = carry
    w_i, w_f, w_g, w_o = np.split(params["input"]["kernel"], 4, axis=1)
    u_i, u_f, u_g, u_o = np.split(params["recurrent"]["kernel"], 4, axis=1)
    b_i, b_f, b_g, b_o = np.split(params["input"]["bias"], 4)
    before = np.split(gates, 3, axis=-1)  # i, f, o
    (r_ii, r_if, r_io), (r_fi, r_ff, r_fo), (r_oi, r_of, r_oo) = (
        np.split(rows, 3, axis=1) for rows in np.split(params["gates"]["kernel"], 3, axis=0)
    )
    p = params.get("peephole", {"i": 0.0, "f": 0.0, "o": 0.0})
    i = logistic(x @ w_i + b_i + h @ u_i + before[0] @ r_ii + before[1] @ r_fi + before[2] @ r_oi + p["i"] * c)
    f = logistic(x @ w_f + b_f + h @ u_f + before[0] @ r_if + before[1] @ r_ff + before[2] @ r_of + p["f"] * c)
    c = f * c + i * np.tanh(x @ w_g + b_g + h @ u_g)
    o = logistic(x @ w_o + b_o + h @ u_o + before[0] @ r_io + before[1] @ r_fo + before[2] @ r_oo + p["o"] * c)
    h = o * np.tanh(c)
    return (h, c, np.concatenate([i, f, o], axis=-1)), h


NAMES = {"i": "input", "f": "forget", "o": "output"}


def normalise(a):
    return (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + 1e-5)


lstm = variant()
peephole_lstm = variant(peepholes=True)
coupled_lstm = variant(coupled=True)
layer_norm_lstm = variant(layer_norm=True)
lstmp = variant(projected=True)
