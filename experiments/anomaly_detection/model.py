"""Networks that predict series side by side, each trained on the first rows of its own series alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.anomaly_detection.config import PredictorConfig
from experiments.anomaly_detection.features import SeriesFeatures
from rnn_jax.data import pad
from rnn_jax.models.gaussian import GaussianModel, Normal, gaussian_nats
from rnn_jax.typing import Array, Params

LARGEST_LOSS = 5.0
"""What a series' validation counts at most, in nats: one that suddenly changes must not decide for all."""


def predictor_loss(
    config: PredictorConfig, model: GaussianModel, inputs: Array, targets: Array, weights: Array,
    key: jax.Array | None = None,
) -> jax.Array:  # fmt: skip
    """Mean nats of a network over the rows of its series, inputs `[T, 7]`; see `predictor_losses`."""
    if key is not None:
        input_key, target_key, key = jax.random.split(key, 3)
        inputs = inputs + config.noise * jax.random.normal(input_key, inputs.shape)
        targets = targets + config.noise * jax.random.normal(target_key, targets.shape)
    distribution = model(inputs[:, None], key=key)
    beta = 0.0 if key is None else config.beta
    nats, count = gaussian_nats(Normal(*(x[:, 0, 0] for x in distribution)), targets, weights, beta=beta)
    return nats / jnp.maximum(count, 1.0)


def predictor_losses(
    config: PredictorConfig, rebuild: Callable[[Params], GaussianModel], params: Params, batch: Mapping[str, Array],
    key: jax.Array | None = None,
) -> jax.Array:  # fmt: skip
    """Mean nats of each series `[S]` over the rows that its `weights` count; with a key as in training.

    Args:
        config: of the networks.
        rebuild: from the parameters of one network to its model.
        params: of all networks, `[S, ...]`.
        batch: see `training_batches`.
        key: a typed key: training, with dropout, noise and the weighted loss.
    """

    def loss_of_one(params: Params, *rest: Any) -> jax.Array:
        return predictor_loss(config, rebuild(params), *rest)

    keys = None if key is None else jax.random.split(key, len(batch["inputs"]))
    inputs, targets, weights = (jnp.asarray(batch[name]) for name in ("inputs", "targets", "weights"))
    return jax.vmap(loss_of_one)(params, inputs, targets, weights, keys)


def training_batches(
    features: Sequence[SeriesFeatures], ahead: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What is trained on, the first 80 % of the training rows, and what is validated on, the rest of them.

    Both hold inputs `[S, T, 7]`, targets `[S, T]` and weights `[S, T]`, 0 where a row or its value is missing.
    """
    rows = [one.rows[: one.training_rows] for one in features]
    inputs, lengths = pad([np.stack([row.inputs for row in some]) for some in rows])
    changes = pad([np.array([row.value - row.known for row in some], np.float32) for some in rows]).values
    step = np.arange(len(inputs))[:, None]
    known = np.isfinite(changes) & (step < lengths)
    parts = (step > ahead) & (step < 0.8 * lengths), step >= 0.8 * lengths
    shared = {"inputs": inputs.swapaxes(0, 1), "targets": np.nan_to_num(changes).T}
    training, validation = ({**shared, "weights": (known & part).T.astype(np.float32)} for part in parts)
    return training, validation
