"""Gated linear attention in its many forms, head by head, and the vector unit that one of them comes from."""

import numpy as np

from tests.cells.references.linear import lasting, silu, softplus
from tests.cells.references.numerics import blocks, logistic


def _heads(params, memory, x, columns):
    """For each row and head: their place, and the columns `(size, by_head)` of the input product that they see."""
    product = x @ params["input"]["kernel"] + params["input"].get("bias", 0)
    heads = memory.shape[-3]
    parts = np.split(product, np.cumsum([size * (heads if by_head else 1) for size, by_head in columns])[:-1], axis=-1)
    for row in range(len(x)):
        for head in range(heads):
            yield (
                (row, head),
                *(
                    part[row, head * size : (head + 1) * size] if by_head else part[row]
                    for part, (size, by_head) in zip(parts, columns, strict=True)
                ),
            )


def _stacked(memory, steps):
    """`steps` are (place, memory after, output) of one row and head each."""
    after, y = np.empty_like(memory), np.empty((*memory.shape[:-2], memory.shape[-1]))
    for place, state, output in steps:
        after[place], y[place] = state, output
    return after, y.reshape(len(y), -1)


def mamba2(params, memory, x, decay=np.exp, elapsed=None):
    states, channels = memory.shape[-2:]
    columns = (states, False), (states, False), (channels, True), (1, True)

    def steps():
        for place, c, b, u, step in _heads(params, memory, x, columns):
            head = place[1]
            delta = softplus(step[0] + params["step"]["bias"][head])
            exponent = -np.exp(params["recurrent"]["log_rate"][head]) * delta
            if elapsed is not None:
                time = elapsed[place[0], 0]
                delta, exponent = delta * lasting(exponent, time), exponent * time
            a = decay(exponent)
            h = a * memory[place].T + np.outer(delta * u, b)  # [channels, states], as in the paper
            yield place, h.T, h @ c + params["skip"]["scale"][head] * u

    return _stacked(memory, steps())


def rwkv6(params, memory, x):
    keys, values = memory.shape[-2:]
    rank = len(params["decay"]["kernel"])
    columns = (keys, True), (keys, True), (values, True), (rank, False)

    def steps():
        for place, r, k, v, low_rank in _heads(params, memory, x, columns):
            entries = slice(place[1] * keys, (place[1] + 1) * keys)
            d = params["decay"]["bias"][entries] + np.tanh(low_rank) @ params["decay"]["kernel"][:, entries]
            u = params["bonus"]["scale"][place[1]]
            wkv = memory[place] + np.diag(u) @ np.outer(k, v)
            yield place, np.diag(np.exp(-np.exp(d))) @ memory[place] + np.outer(k, v), r @ wkv

    return _stacked(memory, steps())


def _bounded(logit, bound):
    gamma = 0 if bound is None else logistic(bound)
    return gamma + (1 - gamma) * logistic(logit)


def hgrn2(params, memory, x):
    keys, values = memory.shape[-2:]
    bound = params.get("recurrent", {}).get("bound")

    def steps():
        for place, o, logit, i in _heads(params, memory, x, ((keys, True), (keys, True), (values, True))):
            entries = slice(place[1] * keys, (place[1] + 1) * keys)
            f = _bounded(logit, None if bound is None else bound[entries])
            h = memory[place].T @ np.diag(f) + np.outer(silu(i), 1 - f)  # [values, keys], as in the paper
            yield place, h.T, h @ logistic(o)

    return _stacked(memory, steps())


def hgrn(params, h, x):
    w_r, w_i, w_f = blocks(params, "input", 3)
    b_r, b_i, b_f = np.split(params["input"]["bias"], 3)
    c = silu(x @ w_r + b_r) + 1j * silu(x @ w_i + b_i)
    forget = _bounded(x @ w_f + b_f, params["recurrent"].get("bound"))
    h = forget * np.exp(1j * params["recurrent"]["phase"]) * (h[0] + 1j * h[1]) + (1 - forget) * c
    return (h.real, h.imag), np.concatenate([h.real, h.imag], axis=-1)
