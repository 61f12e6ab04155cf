"""What a forecast consists of: a number, quantiles, a normal distribution or a variance; each with its loss."""

import abc
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from rnn_jax.losses import pinball_loss, qlike_loss
from rnn_jax.models.gaussian import Normal, gaussian_nats
from rnn_jax.typing import Array

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the quantiles of a forecast: the median, and the ends of a band of 50 % and of one of 90 %."""


class Forecast(NamedTuple):
    """Forecasts of the H steps after N windows."""

    point: np.ndarray
    """`[N, H]`"""
    quantiles: np.ndarray | None
    """`[N, H, 5]`, ascending, at `LEVELS`; None where the output has no distribution."""

    def unscaled(self, shift: np.ndarray, factor: np.ndarray) -> "Forecast":
        """Values × factor + shift; both `[N]`."""
        shift, factor = shift[:, None], factor[:, None]
        if self.quantiles is None:
            return Forecast(self.point * factor + shift, None)
        return Forecast(self.point * factor + shift, self.quantiles * factor[..., None] + shift[..., None])


class Output(abc.ABC):
    """How the K numbers that a model gives for a step are meant.

    Attributes:
        size: K.
        moved: how many of them move with the target: quantiles and means do, a logarithm of a scale does not.
        unit: of the loss.
    """

    size: int
    moved: int
    unit = "deviations of the target"

    @abc.abstractmethod
    def loss(self, raw: jax.Array, targets: Array) -> tuple[jax.Array, jax.Array]:
        """The summed loss of raw `[..., K]` for targets `[...]`, and how many there are; NaN is left out."""

    @abc.abstractmethod
    def point(self, raw: jax.Array) -> jax.Array:
        """The single best number, `[...]`."""

    def quantiles(self, raw: jax.Array) -> jax.Array | None:
        """`[..., 5]` at `LEVELS`, or None where the output has no distribution."""
        return None

    def aim(self, targets: np.ndarray) -> np.ndarray:
        """Targets as the first number is to be: what a linear regression is for."""
        return targets

    @abc.abstractmethod
    def rest(self, left: np.ndarray) -> np.ndarray:
        """The K constants that go best with what a regression has left of the targets `[N]`."""


class Point(Output):
    """A number; the loss is the absolute error."""

    size, moved = 1, 1

    def loss(self, raw: jax.Array, targets: Array) -> tuple[jax.Array, jax.Array]:
        half, count = pinball_loss(raw, targets, (0.5,))
        return 2 * half, count

    def point(self, raw: jax.Array) -> jax.Array:
        return raw[..., 0]

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.median(left, keepdims=True)


class Quantiles(Output):
    """A number for each of `LEVELS`; those that cross are put in order (Chernozhukov et al. 2010, arXiv:0704.3649)."""

    size, moved = len(LEVELS), len(LEVELS)

    def loss(self, raw: jax.Array, targets: Array) -> tuple[jax.Array, jax.Array]:
        return pinball_loss(raw, targets, LEVELS)

    def point(self, raw: jax.Array) -> jax.Array:
        return jnp.median(raw, axis=-1)

    def quantiles(self, raw: jax.Array) -> jax.Array | None:
        return jnp.sort(raw, axis=-1)

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.quantile(left, LEVELS)


class Gaussian(Output):
    """Mean and logarithm of the deviation of a normal distribution; the loss is its negative log likelihood."""

    size, moved, unit = 2, 1, "nats"

    def loss(self, raw: jax.Array, targets: Array) -> tuple[jax.Array, jax.Array]:
        known = (~jnp.isnan(targets)).astype(jnp.float32)
        return gaussian_nats(Normal(raw[..., 0], jnp.exp(raw[..., 1])), targets, known)

    def point(self, raw: jax.Array) -> jax.Array:
        return raw[..., 0]

    def quantiles(self, raw: jax.Array) -> jax.Array | None:
        away = norm.ppf(jnp.array(LEVELS)).reshape(*(1,) * (raw.ndim - 1), -1)
        return raw[..., :1] + jnp.exp(raw[..., 1:]) * away

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.array([left.mean(), np.log(left.std() + 1e-6)])


class Variance(Output):
    """The logarithm of a positive number, such as a variance; the loss is QLIKE."""

    size, moved, unit = 1, 0, "nats"

    def loss(self, raw: jax.Array, targets: Array) -> tuple[jax.Array, jax.Array]:
        return qlike_loss(raw[..., 0], targets)

    def point(self, raw: jax.Array) -> jax.Array:
        return jnp.exp(raw[..., 0])

    def aim(self, targets: np.ndarray) -> np.ndarray:
        return np.log(targets)

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.log(np.exp(left).mean(keepdims=True))


OUTPUTS: dict[str, Output] = {
    "point": Point(),
    "quantile": Quantiles(),
    "gaussian": Gaussian(),
    "variance": Variance(),
}
