"""Cells that follow the delta rule: matrices of the papers, written out head by head."""

import numpy as np

from tests.cells.references.linear import _by_head, _stacked, _unit, softplus
from tests.cells.references.numerics import logistic


def delta_product(params, s, x, steps=2, reach=2, keep=lambda rest, row, head: 1):
    """H_t = A H_{t−1} + B; A is the product of the steps' I − β k kᵀ, B gathers what each step writes."""
    heads, keys, values = s.shape[-3:]
    sizes = [heads * keys] * (1 + steps) + [heads * values] * steps + [heads] * steps
    product = x @ params["input"]["kernel"]
    parts = np.split(product, np.cumsum(sizes), axis=-1)

    def one(row, head):
        def of_head(part, size):
            return part[row, head * size : (head + 1) * size]

        transition, update = np.eye(keys), np.zeros((keys, values))
        for j in range(steps):
            k = _unit(of_head(parts[1 + j], keys))
            v = of_head(parts[1 + steps + j], values)
            beta = reach * logistic(parts[1 + 2 * steps + j][row, head])
            householder = np.eye(keys) - beta * np.outer(k, k)
            transition, update = householder @ transition, householder @ update + beta * np.outer(k, v)
        after = keep(parts[-1], row, head) * transition @ s[row, head] + update
        return after, after.T @ _unit(of_head(parts[0], keys))

    return _stacked([[one(row, head) for head in range(heads)] for row in range(len(x))])


def gated_delta_product(params, s, x, steps=2, reach=2):
    p = params["decay"]

    def keep(gate, row, head):
        return np.exp(-np.exp(p["log_rate"][head]) * softplus(gate[row, head] + p["bias"][head]))

    return delta_product(params, s, x, steps, reach, keep)


def kda(params, s, x, reach=1):
    p, (heads, keys) = params["decay"], s.shape[-3:-1]

    def step(row, head, q, k, v, rest):
        columns = slice(head * keys, (head + 1) * keys)
        gate = rest[1][row] @ p["kernel"][:, columns] + p["bias"][columns]
        alpha = np.exp(-np.exp(p["log_rate"][head]) * softplus(gate))
        q, k, beta = _unit(q), _unit(k), reach * logistic(rest[0][row, head])
        after = (np.eye(keys) - beta * np.outer(k, k)) @ np.diag(alpha) @ s[row, head] + beta * np.outer(k, v)
        return after, after.T @ q

    return _stacked(_by_head(params, s, x, (heads, p["kernel"].shape[0]), step))


def rwkv7(params, s, x):
    """With the state as the paper has it, values by keys."""
    keys, rank = s.shape[-2], params["decay"]["kernel"].shape[0]

    def step(row, head, r, k, v, rest):
        columns = slice(head * keys, (head + 1) * keys)
        decay, rate = params["decay"], params["rate"]
        d = np.tanh(rest[0][row]) @ decay["kernel"][:, columns] + decay["bias"][columns]
        w = np.exp(-np.exp(-0.5) * logistic(d))
        a = logistic(rest[1][row] @ rate["kernel"][:, columns] + rate["bias"][columns])
        kappa = k * params["removal"]["scale"][columns]
        kappa = kappa / np.sqrt(kappa @ kappa + 1e-6)
        replacement = k * ((1 - params["replacement"]["scale"][columns]) + params["replacement"]["scale"][columns] * a)
        wkv = s[row, head].T @ (np.diag(w) - np.outer(kappa, a * kappa)) + np.outer(v, replacement)
        return wkv.T, wkv @ r

    return _stacked(_by_head(params, s, x, (rank, rank), step))


def comba(params, s, x):
    p, feedback, heads = params["decay"], params["feedback"], s.shape[-3]

    def step(row, head, q, k, v, rest):
        q, k, beta = _unit(q), _unit(k), logistic(rest[0][row, head])
        alpha = np.exp(-np.exp(p["log_rate"][head]) * softplus(rest[1][row, head] + p["bias"][head]))
        scalar_plus_low_rank = alpha * np.eye(len(k)) - logistic(feedback["state"][head]) * beta * np.outer(k, k)
        after = scalar_plus_low_rank @ s[row, head] + beta * np.outer(k, v)
        return after, after.T @ (q - feedback["output"][head] * k)

    return _stacked(_by_head(params, s, x, (heads, heads), step))
