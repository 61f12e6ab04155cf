"""Where the training of a forecaster begins: its linear map is fitted in closed form, the layers add nothing yet."""

import jax.numpy as jnp
import numpy as np

from experiments.forecasting.baselines import NormalEquations
from experiments.forecasting.model import Forecaster
from experiments.forecasting.windows import Windows


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
    parts = np.array_split(examples, -(-len(examples) // 4096))

    def design(windows: Windows, examples: np.ndarray) -> np.ndarray:
        xs = windows.inputs(examples)[: model.window]
        means = [xs[-n:].mean(axis=0) for n in model.means]
        return np.concatenate([*means, np.ones((len(examples), 1))], axis=1, dtype=np.float64)

    seasonal = np.concatenate([model.last_season(windows.inputs(part)) for part in parts])
    left = output.aim(windows.targets(examples)[:, :steps]) - seasonal
    weights = NormalEquations.of(design, windows, examples, left).solve(penalty)  # [P, H]
    left = left - np.concatenate([design(windows, part) @ weights for part in parts])
    kernel = np.zeros((len(weights) - 1, steps, output.size))
    kernel[..., : max(output.moved, 1)] = weights[:-1, :, None]
    bias = np.zeros((steps, output.size))
    bias[:, : max(output.moved, 1)] = weights[-1][:, None]
    bias += np.stack([output.rest(column[~np.isnan(column)]) for column in left.T])
    model.linear.kernel[...] = jnp.asarray(kernel.reshape(len(kernel), -1), jnp.float32)
    assert model.linear.bias is not None
    model.linear.bias[...] = jnp.asarray(bias.reshape(-1), jnp.float32)
