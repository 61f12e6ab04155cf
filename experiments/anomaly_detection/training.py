"""Networks that predict watched quantities: one for each series, trained on the first rows of it alone."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.anomaly_detection.anomaly_score import StrangenessSettings
from experiments.anomaly_detection.data import WatchedSeries
from experiments.anomaly_detection.features import FEATURES, RowFeatures, RowScale, Told
from experiments.anomaly_detection.nab_score import probationary
from rnn_jax.checks import check_rate, check_size
from rnn_jax.data import pad
from rnn_jax.data.download import DataError
from rnn_jax.models.config import RecurrentConfig
from rnn_jax.models.gaussian import GaussianModel, Normal, gaussian_nats
from rnn_jax.nnx import Recurrent, functional
from rnn_jax.typing import Array, Params

MOST_NATS = 5.0
"""What a series' validation counts at most: one that suddenly changes must not decide for all."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WatchSettings(RecurrentConfig, StrangenessSettings):
    """A network for each series, trained on its first rows alone, and when a row is strange.

    Raises:
        ValueError: a value is out of range.
    """

    ahead: int = 20
    """Rows between what a prediction knows and what it predicts: a change that lasts stays an error for so long."""
    learn: int = 0
    """Rows at the beginning of each series to learn from; 0: 15 % of it, at most 750, as the benchmark allows."""
    noise: float = 0.1
    """Deviation of what is added to inputs and values in training, in units of the series."""
    beta: float = 0.5
    """Of the loss, see `gaussian_nats`."""

    def __post_init__(self):
        check_size("ahead", self.ahead)
        check_rate("noise", self.noise)
        if self.learn < 0 or not 0 <= self.beta <= 1:
            raise ValueError(f"learn={self.learn}, beta={self.beta}: expected at least 0, and a number from 0 to 1")
        super().__post_init__()

    @property
    def summary(self) -> str:
        """The networks in a few words."""
        return f"{self.cell} {self.layers} x {self.hidden_size}, one for each series"

    def build_networks(self, count: int, key: jax.Array) -> tuple[Params, Callable[[Params], GaussianModel]]:
        """The parameters of so many networks, stacked `[S, ...]`, and a function from those of one to its model."""

        def build(key: jax.Array) -> GaussianModel:
            rngs = nnx.Rngs(params=key)
            layer = Recurrent(self.stack(FEATURES), rngs=rngs)
            return GaussianModel(layer, dropout_rate=self.dropout, dtype=jnp.dtype(self.dtype), rngs=rngs)

        params = jax.vmap(lambda key: functional(build(key))[0])(jax.random.split(key, count))
        return params, functional(build(key))[1]

    def losses(
        self, rebuild: Callable[[Params], GaussianModel], params: Params, batch: Mapping[str, Array],
        key: jax.Array | None = None,
    ) -> jax.Array:  # fmt: skip
        """Mean nats of each series `[S]` over the rows that its `weights` count; with a key as in training."""

        def one(params: Params, inputs: Array, targets: Array, weights: Array, key: jax.Array | None) -> jax.Array:
            if key is not None:
                input_key, target_key, key = jax.random.split(key, 3)
                inputs = inputs + self.noise * jax.random.normal(input_key, inputs.shape)
                targets = targets + self.noise * jax.random.normal(target_key, targets.shape)
            found = rebuild(params)(inputs[:, None], key=key)
            beta = 0.0 if key is None else self.beta
            nats, count = gaussian_nats(Normal(*(x[:, 0, 0] for x in found)), targets, weights, beta=beta)
            return nats / jnp.maximum(count, 1.0)

        keys = None if key is None else jax.random.split(key, len(batch["inputs"]))
        inputs, targets, weights = (jnp.asarray(batch[name]) for name in ("inputs", "targets", "weights"))
        return jax.vmap(one)(params, inputs, targets, weights, keys)


class Lesson(NamedTuple):
    """A series and how its network sees it."""

    series: WatchedSeries
    learned: int
    """Rows at the beginning to learn from; nothing is said of them."""
    scale: RowScale
    """From these rows alone."""
    rows: list[Told]
    """Of the whole series, each from the rows before it."""

    @classmethod
    def of(cls, settings: WatchSettings, series: WatchedSeries) -> "Lesson":
        """What a network is to learn and to watch.

        Raises:
            DataError: the rows to learn from are too few, have less than two values, or no value comes after them.
        """
        name, learned = series.name, settings.learn or probationary(len(series.values))
        least = 2 * (settings.ahead + 5)
        if learned < least:
            raise DataError(
                f"{name}: {learned} rows to learn from: expected {least} at least for ahead={settings.ahead}; give a "
                f"series longer than its {len(series.values)} rows, or set learn"
            )
        if not np.isfinite(series.values[learned:]).any():
            raise DataError(
                f"{name} has {len(series.values)} rows: expected values after the first {learned}, to watch"
            )
        try:
            scale = RowScale.of(series.times[:learned], series.values[:learned])
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        tell = RowFeatures(scale, settings.ahead)
        return cls(
            series, learned, scale, [tell(t, float(v)) for t, v in zip(series.times, series.values, strict=True)]
        )


def lesson_batches(lessons: Sequence[Lesson], ahead: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What is trained on, the first 80 % of the rows to learn from, and what is validated on, the rest of them.

    Both hold inputs `[S, T, 7]`, targets `[S, T]` and weights `[S, T]`, 0 where a row or its value is missing.
    """
    rows = [lesson.rows[: lesson.learned] for lesson in lessons]
    inputs, lengths = pad([np.stack([row.inputs for row in some]) for some in rows])
    values = pad([np.array([row.value - row.known for row in some], np.float32) for some in rows]).values
    step = np.arange(len(inputs))[:, None]
    known = np.isfinite(values) & (step < lengths)
    parts = (step > ahead) & (step < 0.8 * lengths), step >= 0.8 * lengths
    shared = {"inputs": inputs.swapaxes(0, 1), "targets": np.nan_to_num(values).T}
    train, validation = ({**shared, "weights": (known & part).T.astype(np.float32)} for part in parts)
    return train, validation
