"""State spaces of 2025 and 2026, row by row, block by block, head by head."""

import numpy as np

from tests.cells.references.linear import softplus
from tests.cells.references.numerics import logistic


def block_lru(params, h, x):
    size, blocks = h.shape[1:]
    w_v, w_a = np.split(params["input"]["kernel"], [size * blocks], axis=1)
    v = (x @ w_v).reshape(len(x), size, blocks)
    logits = (x @ w_a + params["gates"]["bias"]).reshape(len(x), size + 1, size, blocks)
    after = np.empty_like(h)
    for row in range(len(x)):
        for block in range(blocks):
            for i in range(size):
                gates = np.exp(logits[row, :, i, block])
                gates = gates / gates.sum()
                after[row, i, block] = gates[0] * v[row, i, block] + gates[1:] @ h[row, :, block]
    return after, after.reshape(len(x), size * blocks)


def linoss(params, state, x, implicit=True):
    """One step as a system of two linear equations, which is solved: the cell has the solution written out."""
    p = params["recurrent"]
    stiffness, step = np.maximum(p["stiffness"], 0), logistic(p["step"])
    force = x @ params["input"]["kernel"]
    after = np.empty_like(state)
    for row in range(len(x)):
        for n, (a, dt) in enumerate(zip(stiffness, step, strict=True)):
            z, y = state[row, :, n]
            f = force[row, n]
            if implicit:
                after[row, :, n] = np.linalg.solve([[1, dt * a], [-dt, 1]], [z + dt * f, y])
            else:
                after[row, :, n] = np.linalg.solve([[1, 0], [-dt, 1]], [z - dt * a * y + dt * f, y])
    return after, after[:, 1] @ params["output"]["kernel"] + x @ params["skip"]["kernel"]


def _standardized(a, scale, bias):
    return scale * a / np.sqrt((a**2).mean() + 1e-5) + bias


def _complex(a):
    real, imaginary = np.split(a, 2)
    return real + 1j * imaginary


def mamba3(params, carry, x, elapsed=1.0):
    memory, last_key, last_value = carry
    heads, rows, values = memory.shape[1:]
    keys = heads * rows
    sizes = [keys, keys, heads * values, heads, heads, heads, rows // 2]
    product = x @ params["input"]["kernel"]
    q, k, v, step, rate, trapezoid, angle = np.split(product, np.cumsum(sizes)[:-1], axis=1)
    after = tuple(np.empty_like(part) for part in carry)
    outputs = np.empty((len(x), heads, values))
    for row in range(len(x)):
        for head in range(heads):
            own = slice(head * rows, (head + 1) * rows)
            scales = [(params[name]["scale"], params[name]["bias"][head]) for name in ("query", "key")]
            query = _complex(_standardized(q[row, own], *scales[0]))
            real_key = _standardized(k[row, own], *scales[1])
            value = v[row, head * values : (head + 1) * values]
            delta = softplus(step[row, head] + params["step"]["bias"][head])
            delta = delta * np.broadcast_to(elapsed, (len(x), 1))[row, 0]
            alpha = np.exp(delta * (-softplus(rate[row, head]) + 1j * np.pi * np.tanh(angle[row])))[:, None]
            lam = logistic(trapezoid[row, head])
            before = memory[row, head, : rows // 2] + 1j * memory[row, head, rows // 2 :]
            beta, gamma = (1 - lam) * delta * alpha, lam * delta
            last = np.outer(_complex(last_key[row, head]), last_value[row, head])
            state = alpha * before + beta * last + gamma * np.outer(_complex(real_key), value)
            outputs[row, head] = (state.T @ query.conj()).real + params["skip"]["scale"][head] * value
            after[0][row, head] = np.concatenate([state.real, state.imag])
            after[1][row, head], after[2][row, head] = real_key, value
    return after, outputs.reshape(len(x), heads * values)


def lrcssm(params, h, x, dt=1.0):
    s, p, e = params["sensory"], params["recurrent"], params["elastance"]
    w_f, w_g = np.split(params["input"]["kernel"], 2, axis=1)
    u_f, u_g = np.split(p["synapse"], 2)
    leak = params["input"]["bias"]
    synapse = logistic(s["slope"] * (x - s["centre"]))
    own = logistic(p["slope"] * (h - p["centre"]))
    f = leak + synapse @ w_f + u_f * own
    g = leak + synapse @ w_g + u_g * own
    elastance = logistic(e["weight"] * h + e["bias"])
    h = h + dt * elastance * (-logistic(f) * h + p["reversal"] * np.tanh(g))
    return h, h
