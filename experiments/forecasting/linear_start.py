"""Where the training of a forecaster begins: its linear map is fitted in closed form, the layers add nothing yet."""

import functools

import jax.numpy as jnp
import numpy as np

from experiments.forecasting.baselines import NormalEquations
from experiments.forecasting.model import Forecaster
from experiments.forecasting.windows import Windows

ENOUGH = 20_000
"""Windows to fit where each step has a regression of its own."""


def start_linear(model: Forecaster, windows: Windows, examples: np.ndarray, penalty: float) -> None:
    """Give the linear map the weights of ridge regression, and its constants what goes best with what that leaves.

    A variance so begins as HAR regression of its logarithm (Corsi 2009).

    Args:
        model: with its initial values, which forecast the last season's values; changed.
        windows: of a panel.
        examples: int `[N, 2]`, those to fit: the training part.
        penalty: of the ridge regression on scaled features.
    """
    if model.linear is None:
        return
    output, steps = model.output, 1 if model.recursive else model.horizon
    numbers = [place for place in model.ahead if place < windows.layout.features]  # those of words are not fitted
    if numbers:  # a regression for each step, which so many windows tell as well
        examples = examples[:: 1 + len(examples) // ENOUGH]
    parts = np.array_split(examples, -(-len(examples) // 4096))
    count, ones = windows.layout.features, slice(-1, None)

    def design(windows: Windows, examples: np.ndarray, step: int | None = None) -> np.ndarray:
        inputs = windows.inputs(examples)
        xs = inputs[: model.window]
        means = [xs[-n:].mean(axis=0) for n in model.means]
        ahead = [] if step is None else [inputs[model.window - 1 + step][:, numbers]]
        return np.concatenate([*means, *ahead, np.ones((len(examples), 1))], axis=1, dtype=np.float64)

    seasonal = np.concatenate([model.last_season(windows.inputs(part)) for part in parts])
    left = output.aim(windows.targets(examples)[:, :steps]) - seasonal
    if numbers:  # each step has what is known ahead of it in its rows
        fitted = np.zeros((len(model.means) * count + len(numbers) + 1, steps))
        for h in range(steps):
            rows = functools.partial(design, step=h)
            fitted[:, [h]] = NormalEquations.of(rows, windows, examples, left[:, [h]]).solve(penalty)
            left[:, h] -= np.concatenate([rows(windows, part) @ fitted[:, h] for part in parts])
        own = np.zeros(model.own[...].shape, np.float32)
        own[:, [model.ahead.index(place) for place in numbers], : max(output.moved, 1)] = fitted[
            len(model.means) * count : -1
        ].T[..., None]
        model.own[...] = jnp.asarray(own)
        weights = np.concatenate([fitted[: len(model.means) * count], fitted[ones]])
    else:
        weights = NormalEquations.of(design, windows, examples, left).solve(penalty)  # [P, H]
        left = left - np.concatenate([design(windows, part) @ weights for part in parts])
    kernel = np.zeros((len(model.means), model.head.layer.input_size, steps, output.size))
    kernel[:, :count, :, : max(output.moved, 1)] = weights[:-1].reshape(len(model.means), count, steps, 1)
    bias = np.zeros((steps, output.size))
    bias[:, : max(output.moved, 1)] = weights[-1][:, None]
    bias += np.stack([output.rest(column[~np.isnan(column)]) for column in left.T])
    model.linear.kernel[...] = jnp.asarray(kernel.reshape(-1, steps * output.size), jnp.float32)
    assert model.linear.bias is not None
    model.linear.bias[...] = jnp.asarray(bias.reshape(-1), jnp.float32)
