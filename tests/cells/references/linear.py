"""Cells that are linear in their carry: complex numbers, outer products and heads one by one."""

import numpy as np

from tests.cells.references.numerics import blocks, logistic


def softplus(x):
    return np.logaddexp(0, x)


def silu(x):
    return x * logistic(x)


def _g(x):
    return np.where(x >= 0, x + 0.5, logistic(x))


def mingru(params, h, x, g=_g):
    w_z, w_h = blocks(params, "input", 2)
    b_z, b_h = np.split(params["input"]["bias"], 2)
    z = logistic(x @ w_z + b_z)
    h = (1 - z) * h + z * g(x @ w_h + b_h)
    return h, h


def minlstm(params, h, x, g=_g):
    w_f, w_i, w_h = blocks(params, "input", 3)
    b_f, b_i, b_h = np.split(params["input"]["bias"], 3)
    f = logistic(x @ w_f + b_f)
    i = logistic(x @ w_i + b_i)
    h = f / (f + i) * h + i / (f + i) * g(x @ w_h + b_h)
    return h, h


def _complex(a):
    real, imaginary = np.split(a, 2, axis=-1)
    return real + 1j * imaginary


def _pair(a):
    return a.real, a.imag


def _state_space(params, h, x, decay, gain):
    b = _complex(params["input"]["kernel"])
    c = _complex(params["output"]["kernel"].T).conj()
    h = decay * (h[0] + 1j * h[1]) + gain * (x @ b)
    return _pair(h), h @ c.T, x @ params["skip"]["kernel"]


def lru(params, h, x, elapsed=1.0):
    p = params["recurrent"]
    eigenvalue = -np.exp(p["log_rate"]) + 1j * np.exp(p["log_phase"])
    decay, held = np.exp(eigenvalue * elapsed), lasting(eigenvalue, elapsed)
    h, seen, skip = _state_space(params, h, x, decay, np.exp(p["log_gain"]) * held)
    return h, seen.real + skip


def lasting(exponent, elapsed):
    """What an update of one unit of time comes to when it lasts: 1 where that is one unit."""
    return (np.exp(exponent * elapsed) - 1) / (np.exp(exponent) - 1)


def rg_lru(params, h, x, elapsed=1.0):
    w_r, w_i, w_u = blocks(params, "input", 3)
    b_r, b_i, b_u = np.split(params["input"]["bias"], 3)
    r = logistic(x @ w_r + b_r)
    i = logistic(x @ w_i + b_i)
    a = logistic(params["recurrent"]["decay"]) ** (8 * r)
    h = a**elapsed * h + np.sqrt(1 - a**2) * lasting(np.log(a), elapsed) * (i * (x @ w_u + b_u))
    return h, h


def _held(p, elapsed):
    eigenvalue = -np.exp(p["log_rate"]) + 1j * p["frequency"]
    step = np.exp(p["log_step"])
    step = step[:, None] if eigenvalue.ndim == 2 else step
    step = step * (elapsed[:, :, None] if eigenvalue.ndim == 2 and isinstance(elapsed, np.ndarray) else elapsed)
    decay = np.exp(eigenvalue * step)
    return decay, (decay - 1) / eigenvalue


def s5(params, h, x, elapsed=1.0):
    h, seen, skip = _state_space(params, h, x, *_held(params["recurrent"], elapsed))
    return h, (seen + seen.conj()).real + skip


def s4d(params, h, x, elapsed=1.0):
    u = x @ params["input"]["kernel"]
    decay, gain = _held(params["recurrent"], elapsed)
    c = _complex(params["output"]["kernel"]).conj()
    h = decay * (h[0] + 1j * h[1]) + gain * u[..., None]
    y = 2 * (c * h).sum(-1).real + params["skip"]["scale"] * u
    return _pair(h), y


def s6(params, h, x, decay=np.exp, elapsed=None):
    u = x @ params["input"]["kernel"]
    rank, states = params["step"]["kernel"].shape[0], h.shape[-1]
    s, b, c = np.split(u @ params["selection"]["kernel"], [rank, rank + states], axis=-1)
    step = softplus(s @ params["step"]["kernel"] + params["step"]["bias"])
    a = -np.exp(params["recurrent"]["log_rate"])
    after = np.empty_like(h)
    y = np.empty_like(u)
    for row in range(len(x)):
        for channel in range(u.shape[1]):
            exponent, write = step[row, channel] * a[channel], step[row, channel] * b[row] * u[row, channel]
            if elapsed is not None:
                exponent, write = exponent * elapsed[row], write * lasting(exponent, elapsed[row])
            after[row, channel] = decay(exponent) * h[row, channel] + write
            y[row, channel] = c[row] @ after[row, channel] + params["skip"]["scale"][channel] * u[row, channel]
    return after, y


def _by_head(params, memory, x, gates, step):
    """`step(row, head, q, k, v, gates)` for each row and head; `gates` are the widths of the columns behind q, k, v."""
    heads, keys, values = memory.shape[-3:]
    product = x @ params["input"]["kernel"] + params["input"].get("bias", 0)
    q, k, v, *rest = np.split(product, np.cumsum([heads * keys, heads * keys, heads * values, *gates[:-1]]), axis=-1)
    q, k, v = (a.reshape(len(x), heads, -1) for a in (q, k, v))
    return [
        [step(row, head, q[row, head], k[row, head], v[row, head], rest) for head in range(heads)]
        for row in range(len(x))
    ]


def _stacked(results):
    carries = np.array([[carry for carry, _ in row] for row in results])
    return carries, np.array([np.concatenate([y for _, y in row]) for row in results])


def retnet(params, s, x):
    def step(row, head, q, k, v, rest):
        decay = 1 - 2.0 ** (-5 - head)
        after = decay * s[row, head] + np.outer(k, v)
        return after, after.T @ q / np.sqrt(len(k))

    return _stacked(_by_head(params, s, x, (0,), step))


def gla(params, s, x):
    p, keys = params["decay"], s.shape[-2]

    def step(row, head, q, k, v, rest):
        columns = slice(head * keys, (head + 1) * keys)
        decay = logistic(rest[0][row] @ p["kernel"][:, columns] + p["bias"][columns]) ** (1 / 16)
        after = np.diag(decay) @ s[row, head] + np.outer(k, v)
        return after, after.T @ q / np.sqrt(keys)

    return _stacked(_by_head(params, s, x, (p["kernel"].shape[0],), step))


def mlstm(params, carry, x, forget=logistic):
    """Without the stabiliser: the carry is scaled by it only where it is read and returned."""
    heads, _, values = carry[0].shape[-3:]

    def step(row, head, q, k, v, rest):
        o, i, f = logistic(rest[0][row]), np.exp(rest[1][row, head]), forget(rest[2][row, head])
        memory, normalizer, stabilizer = (part[row, head] for part in carry)
        k = k / np.sqrt(len(k))
        c = f * np.exp(stabilizer) * memory.T + i * np.outer(v, k)
        n = f * np.exp(stabilizer) * normalizer + i * k
        h = c @ q / max(abs(n @ q), 1)
        scale = max(f * np.exp(stabilizer), i)
        y = o[head * values : (head + 1) * values] * h
        return (c.T / scale, n / scale, np.log(scale)), y

    results = _by_head(params, carry[0], x, (heads * values, heads, heads), step)
    after = [np.array([[head[0][part] for head in row] for row in results]) for part in range(3)]
    return tuple(after), np.array([np.concatenate([y for _, y in row]) for row in results])


def _unit(a):
    a = silu(a)
    return a / np.sqrt(a @ a + 1e-6)


def _delta(params, s, x, gates, keep, reach):
    def step(row, head, q, k, v, rest):
        q, k = _unit(q), _unit(k)
        beta = reach * logistic(rest[0][row, head])
        transition = keep(rest, row, head) * (np.eye(len(k)) - beta * np.outer(k, k))
        after = transition @ s[row, head] + beta * np.outer(k, v)
        return after, after.T @ q

    return _stacked(_by_head(params, s, x, gates, step))


def deltanet(params, s, x, reach=1):
    return _delta(params, s, x, (s.shape[-3],), lambda rest, row, head: 1, reach)


def gated_deltanet(params, s, x, reach=1):
    p, heads = params["decay"], s.shape[-3]

    def keep(rest, row, head):
        return np.exp(-np.exp(p["log_rate"][head]) * softplus(rest[1][row, head] + p["bias"][head]))

    return _delta(params, s, x, (heads, heads), keep, reach)
