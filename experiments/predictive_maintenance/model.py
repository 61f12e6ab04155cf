"""The remaining useful life (RUL) of an engine after every cycle, out of all before it, with its uncertainty."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.ensemble import Ensemble, loss_of_each
from experiments.predictive_maintenance.engines import Engine
from experiments.predictive_maintenance.features import SensorScaling
from rnn_jax.data import pad
from rnn_jax.models.gaussian import WIDTH, GaussianModel, Normal, gaussian_nats
from rnn_jax.train import Trained, written_at_end
from rnn_jax.typing import Array, Params


class RULPrediction(NamedTuple):
    """The predictive distribution of the RUL of one engine after each cycle, in cycles: float32 `[t]`."""

    mean: np.ndarray
    """From 0 to the cap."""
    std: np.ndarray

    def interval(self, cap: int) -> tuple[np.ndarray, np.ndarray]:
        """The ends of the interval that is to hold 90 %, from 0 to the cap."""
        return np.clip(self.mean - WIDTH * self.std, 0, cap), np.clip(self.mean + WIDTH * self.std, 0, cap)


def rul_loss(
    model: GaussianModel | Ensemble,
    batch: Mapping[str, Array],
    *,
    beta: float,
    noise: float = 0.0,
    key: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """The loss summed over the cycles of an `engine_batch`, and their number; see `loss_of_each`.

    Args:
        model: of the RUL in parts of the cap.
        batch: inputs, lengths and targets.
        beta: see `gaussian_nats`.
        noise: the standard deviation of what is added to the inputs in training.
        key: a typed key: training, with dropout and noise.
    """
    inputs, lengths = jnp.asarray(batch["inputs"]), jnp.asarray(batch["lengths"])
    valid = jnp.arange(inputs.shape[0])[:, None] < lengths[None]

    def loss(model: GaussianModel | Ensemble, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        xs = inputs
        if key is not None:
            noise_key, key = jax.random.split(key)
            xs = xs + noise * jax.random.normal(noise_key, xs.shape)
        distribution = model(xs, lengths, key=key)
        return gaussian_nats(Normal(*(x[..., 0] for x in distribution)), batch["targets"], valid, beta=beta)

    return loss_of_each(model, loss, key)


def make_predict(
    rebuild: Callable[[Params], GaussianModel | Ensemble],
    engines: Sequence[Engine],
    scaling: SensorScaling,
    cap: int,
    stretch: float = 1.0,
) -> Callable[[Params], list[RULPrediction]]:
    """A function from parameters to the predictions for engines, compiled once.

    Args:
        rebuild: from `rnn_jax.nnx.functional`.
        engines: of any length from one cycle on.
        scaling: of the training engines.
        cap: the highest RUL, in cycles.
        stretch: of the standard deviations, see `truncation_errors`.
    """
    inputs, lengths = pad([scaling.features(engine) for engine in engines])
    compute = jax.jit(lambda params, inputs: rebuild(params)(inputs, lengths))

    def predict(params: Params) -> list[RULPrediction]:
        mean, std = (np.asarray(x)[..., 0] for x in compute(params, inputs))
        mean, std = np.clip(cap * mean, 0, cap), np.float32(stretch * cap) * std
        return [RULPrediction(mean[:n, i], std[:n, i]) for i, n in enumerate(lengths)]

    return predict


def stretch_of(trained: Trained) -> float:
    """By what the standard deviations of a trained model are to be multiplied, see `truncation_errors`.

    Raises:
        ValueError: the run is not finished, so that they are not calibrated.
    """
    return written_at_end("experiments.predictive_maintenance", trained.run, "stretch.json")["stretch"]


def final_predictions(predictions: Sequence[RULPrediction], cap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The prediction after the last known cycle of each engine: mean, and the ends of the interval of 90 %, `[N]`."""
    final = RULPrediction(*(np.array([x[-1] for x in values]) for values in zip(*predictions, strict=True)))
    return final.mean, *final.interval(cap)
