"""Where the training of a forecaster begins: its linear map is fitted in closed form, the layers add nothing yet."""

import functools

import jax.numpy as jnp
import numpy as np

from experiments.forecasting.baselines import NormalEquations
from experiments.forecasting.model import Forecaster
from experiments.forecasting.windows import Windows

ENOUGH = 20_000
"""Windows to fit where each step has a regression of its own; steps, where they share one."""


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
    if windows.forced or numbers:  # regressions over all steps, which so many rows tell as well
        enough = max(1, ENOUGH // model.horizon) if windows.forced else ENOUGH
        examples = examples[np.sort(np.random.default_rng(0).permutation(len(examples))[:enough])]
    parts = np.array_split(examples, -(-len(examples) // 4096))
    count = windows.layout.features

    def design(windows: Windows, examples: np.ndarray, step: int = 0) -> np.ndarray:
        inputs = windows.inputs(examples)
        xs = inputs[: model.window + (step if windows.forced else 0)]
        means = [xs[-n:].mean(axis=0) for n in model.means]
        ahead = [inputs[model.window - 1 + step][:, numbers]] if numbers else []
        if windows.forced and model.season:
            ahead = [inputs[model.window + step - model.season, :, :1]]
        return np.concatenate([*means, *ahead, np.ones((len(examples), 1))], axis=1, dtype=np.float64)

    def left_by(h: int, weights: np.ndarray) -> np.ndarray:
        return left[:, [h]] - np.concatenate([design(windows, part, h) @ weights for part in parts])

    targets = output.aim(windows.targets(examples))
    if windows.forced:  # one regression of all steps, each given what came before it
        left = targets
        of_step = [functools.partial(design, step=h) for h in range(model.horizon)]
        each = [NormalEquations.of(of_step[h], windows, examples, left[:, [h]]) for h in range(model.horizon)]
        weights = NormalEquations(
            np.sum([one.gram for one in each], axis=0), np.sum([one.products for one in each], axis=0),
            np.concatenate([one.rows for one in each]), np.concatenate([one.missing for one in each]),
        ).solve(penalty)  # fmt: skip
        left = np.concatenate([left_by(h, weights) for h in range(model.horizon)])
    else:
        left = targets[:, :steps] - np.concatenate([model.last_season(windows.inputs(part)) for part in parts])
        if numbers:  # each step has what is known ahead of it in its rows
            of_step = [functools.partial(design, step=h) for h in range(steps)]
            fits = [NormalEquations.of(of_step[h], windows, examples, left[:, [h]]) for h in range(steps)]
            each = [fit.solve(penalty) for fit in fits]
            left = np.concatenate([left_by(h, each[h]) for h in range(steps)], axis=1)
            fitted, begin = np.concatenate(each, axis=1), len(model.means) * count
            own = np.zeros(model.own[...].shape, np.float32)
            places = [model.ahead.index(place) for place in numbers]
            own[:, places, : max(output.moved, 1)] = fitted[begin:-1].T[..., None]
            model.own[...] = jnp.asarray(own)
            weights = np.concatenate([fitted[:begin], fitted[-1:]])
        else:
            weights = NormalEquations.of(design, windows, examples, left).solve(penalty)  # [P, H]
            left = left - np.concatenate([design(windows, part) @ weights for part in parts])
    kernel = np.zeros((len(model.means), model.input_size, steps, output.size))
    means, seasonal = weights[: len(model.means) * count], weights[len(model.means) * count : -1]
    kernel[:, :count, :, : max(output.moved, 1)] = means.reshape(len(model.means), count, steps, 1)
    rows = kernel.reshape(-1, steps * output.size)
    if len(seasonal):  # of a model that draws paths
        row = np.zeros((1, output.size))
        row[:, : output.moved] = seasonal
        rows = np.concatenate([rows, row])
    bias = np.zeros((steps, output.size))
    bias[:, : max(output.moved, 1)] = weights[-1][:, None]
    bias += np.stack([output.rest(column[~np.isnan(column)]) for column in left.T])
    model.linear.kernel[...] = jnp.asarray(rows, jnp.float32)
    assert model.linear.bias is not None
    model.linear.bias[...] = jnp.asarray(bias.reshape(-1), jnp.float32)
